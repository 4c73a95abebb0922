/**
 * Shell: ends with 0 while something listens on a port of all addresses, as API servers do and load balancers beside
 * them don't: state 0A of the kernel's tables.
 */
export const listens = (port: number): string =>
  `grep -qiE ': 0+:${port.toString(16).padStart(4, '0')} [0-9a-f]+:0000 0a' /proc/net/tcp /proc/net/tcp6`;
