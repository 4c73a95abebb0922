import { expect, test } from 'vitest';
import { usableImages } from '../../../../src/phases/runtime/images.js';

const OCI = 'application/vnd.oci.image.index.v1+json';
const digest = (of: string) => `sha256:${of.repeat(64)}`;

test('an image can be used when all of it is there, or when it was unpacked before its layers went', () => {
  const said = `REF                         TYPE DIGEST STATUS SIZE UNPACKED
registry.k8s.io/pause:3.10.2   ${OCI} ${digest('1')} complete (2/2)    303.1 KiB/303.1 KiB true
registry.k8s.io/etcd:3.6.8-0   ${OCI} ${digest('2')} complete (4/4)    21.7 MiB/21.7 MiB   false
registry.k8s.io/kube-proxy:v1  ${OCI} ${digest('3')} incomplete (2/4)  1.0 KiB/28.4 MiB    true
registry.k8s.io/scheduler:v1   ${OCI} ${digest('4')} incomplete (3/4)  5.0 MiB/17.8 MiB    false
registry.k8s.io/coredns:v1     ${OCI} ${digest('5')} unavailable (0/?) 0.0 B/?             false
registry.k8s.io/flannel:v1     ${OCI} ${digest('6')} error             -                   false
`;
  expect([...usableImages(said)]).toEqual([
    ['registry.k8s.io/pause:3.10.2', digest('1')],
    ['registry.k8s.io/etcd:3.6.8-0', digest('2')],
    ['registry.k8s.io/kube-proxy:v1', digest('3')],
  ]);
});
