import type { ClusterAddress } from './cluster-info.js';
import { publicKeyPins } from './pins.js';
import { parseToken } from './token.js';

/**
 * The `kubeadm join` command for a token, in one line, with the pins of all certificates of the CA file.
 * @param certificateKey hex; makes it the command of a control plane
 */
export function joinCommand(
  { server, caPem }: ClusterAddress,
  token: string,
  certificateKey?: string,
): string {
  parseToken(token);
  const pins = publicKeyPins(caPem).flatMap((pin) => ['--discovery-token-ca-cert-hash', pin]);
  const controlPlane = certificateKey ? ['--control-plane', '--certificate-key', certificateKey] : [];
  return [
    'kubeadm',
    'join',
    server.replace(/^https:\/\//, ''),
    '--token',
    token,
    ...pins,
    ...controlPlane,
  ].join(' ');
}
