import type { Bundle } from '../../../src/bundle/bundle.js';
import { firstControlPlane, hostNamed, presentHosts } from '../../../src/config/inventory.js';
import type { ClusterConfig } from '../../../src/config/types.js';
import type { EngineEvent } from '../../../src/engine/events.js';
import type { PhaseContext } from '../../../src/phases/context.js';
import { memberView } from '../../../src/phases/member-view.js';
import { trustStore } from '../../../src/phases/trust-store.js';
import type { Session } from '../../../src/workflows/session.js';
import { createFakeHost, type FakeHost } from '../../fakes/fake-host.js';
import { CLUSTER, ETCD_HOSTS, KUBEADM, parse, stream } from '../config/support.js';

// Elliptic keys are made in no time.
const FAST = `${KUBEADM}encryptionAlgorithm: ECDSA-P256\n`;

/** cp1 and w1. */
export const cluster = (): ClusterConfig => parse(stream(CLUSTER, FAST));

/** cp1, cp2 and w1. */
export const clusterOfThree = (): ClusterConfig =>
  parse(
    stream(
      CLUSTER.replace(
        '    - {name: w1',
        '    - {name: cp2, role: control-plane, address: 10.0.0.3}\n    - {name: w1',
      ),
      `${FAST}controlPlaneEndpoint: k8s.example:6443\n`,
    ),
  );

/** cp1 and w1, with etcd on etcd1, etcd2 and etcd3. */
export const clusterWithEtcd = (): ClusterConfig => parse(stream(`${CLUSTER}${ETCD_HOSTS}`, FAST));

const image = (name: string): Bundle['lock']['images'][number] => ({
  name,
  reference: `registry.example/${name}:v1`,
  digest: `sha256:${'0'.repeat(64)}`,
  size: 1,
  blobs: [{ sha256: '0'.repeat(64), size: 1, mediaType: 'x' }],
  roles: ['control-plane', 'worker'],
});

export const BUNDLE: Bundle = {
  dir: '/bundle',
  lock: {
    formatVersion: 1,
    kubernetesVersion: 'v1.36.3',
    architecture: 'amd64',
    source: 'modules',
    toolchain: { go: 'go1', gcc: '12' },
    components: [],
    packages: [],
    files: ['kubelet', 'kubectl', 'kubeadm', 'containerd'].map((name) => ({
      name,
      path: `/usr/bin/${name}`,
      mode: 0o755,
      sha256: '0'.repeat(64),
      size: 1,
      version: 'v1',
      roles: ['control-plane', 'worker'],
    })),
    images: ['etcd', 'pause', 'flannel', 'flannel-cni-plugin'].map(image),
  },
};

export interface FakeSession extends Session {
  fakes: ReadonlyMap<string, FakeHost>;
  events: EngineEvent[];
}

/** A session on hosts in memory. Scripts and probes succeed and print nothing; there is no API. */
export function fakeSession(config: ClusterConfig = cluster()): FakeSession {
  const hosts = presentHosts(config);
  const fakes = new Map(
    hosts.map(({ name }) => {
      const host = createFakeHost({ name });
      host.on(/^<.*>/, {});
      host.on(/^\?/, {});
      return [name, host];
    }),
  );
  const events: EngineEvent[] = [];
  const emit = (event: EngineEvent) => void events.push(event);
  const named = (name: string): FakeHost => {
    const host = fakes.get(name);
    if (host === undefined) throw new Error(`no host ${name}`);
    return host;
  };
  const trust = trustStore(config, () => Date.now());
  const context: PhaseContext = {
    config,
    bundle: BUNDLE,
    first: firstControlPlane(config),
    established: false,
    members: memberView(),
    facts: new Map(),
    trust,
    patches: new Map(),
    networkObjects: async () => [],
    addonObjects: async () => new Map(),
    certificateKey: null,
    emit,
    now: () => Date.now(),
    signal: new AbortController().signal,
    inventory: hosts.map(({ name, role }) => ({ name, role })),
    hostNamed: (name) => hostNamed(config, name),
    reader: named,
    api: () => null,
  };
  return {
    context,
    hosts: fakes,
    readers: fakes,
    emit,
    configDigest: 'digest',
    effects: {
      host: named,
      secret: async (artefact) => {
        const [, host = '', path = ''] = /^trust:([^:]+):(.+)$/.exec(artefact) ?? [];
        return trust.file(host, path);
      },
      blobPath: () => '/dev/null',
      importImages: async () => {},
      applyObjects: async () => {},
    },
    failures: new Map(),
    reach: async () => new Map(),
    close: async () => {},
    fakes,
    events,
  };
}
