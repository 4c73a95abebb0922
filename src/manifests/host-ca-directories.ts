/**
 * Directories that files in /etc/ssl/certs may link to. The API server and the controller manager mount
 * those that exist on the host.
 */
export const CA_DIRECTORIES = [
  '/etc/pki/ca-trust',
  '/etc/pki/tls/certs',
  '/etc/ca-certificates',
  '/usr/share/ca-certificates',
  '/usr/local/share/ca-certificates',
] as const;

/** Those of a Debian with the package ca-certificates: what rendering assumes of a host it was not told about. */
export const DEBIAN_CA_DIRECTORIES = CA_DIRECTORIES.slice(2);
