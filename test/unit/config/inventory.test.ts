import { expect, test } from 'vitest';
import { keyAlgorithm } from '../../../src/config/feature-gates.js';
import {
  absentHosts,
  controlPlanes,
  firstControlPlane,
  hostNamed,
  workers,
} from '../../../src/config/inventory.js';
import { CLUSTER, KUBEADM, parse, stream } from './support.js';

const GONE = `    - {name: w2, role: worker, address: 10.0.0.3, state: absent}
    - {name: cp0, role: control-plane, address: 10.0.0.4, state: absent}
`;
const config = parse(stream(CLUSTER + GONE, KUBEADM));

test('hosts are listed by role, and those to be removed apart', () => {
  expect(firstControlPlane(config).name).toBe('cp1');
  expect(controlPlanes(config).map((host) => host.name)).toEqual(['cp1']);
  expect(workers(config).map((host) => host.name)).toEqual(['w1']);
  expect(absentHosts(config).map((host) => host.name)).toEqual(['w2', 'cp0']);
});

test('a host is found by name, and a mistyped name is met with the nearest one', () => {
  expect(hostNamed(config, 'w2').state).toBe('absent');
  expect(() => hostNamed(config, 'cp2')).toThrow('there is no host cp2; did you mean `cp1`?');
  expect(() => hostNamed(config, 'zebra')).toThrow(/^there is no host zebra$/);
});

test('the old feature gate for ECDSA keys goes before encryptionAlgorithm, as in kubeadm', () => {
  const cluster = (gates: Record<string, boolean>) => ({
    ...config.cluster,
    encryptionAlgorithm: 'RSA-4096' as const,
    featureGates: gates,
  });
  expect(keyAlgorithm(cluster({}))).toBe('RSA-4096');
  expect(keyAlgorithm(cluster({ PublicKeysECDSA: true }))).toBe('ECDSA-P256');
  expect(keyAlgorithm(cluster({ PublicKeysECDSA: false }))).toBe('RSA-2048');
});
