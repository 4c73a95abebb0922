import type { Change } from '../../engine/types.js';
import { KUBELET_UNIT } from '../../manifests/kubelet.js';
import { IMAGES, KUBELET, KUBELET_BINARIES, RUNTIME } from '../artefacts.js';
import { defineHostPhase } from '../context.js';
import { KUBELET_FILES, kubeletConfigChanges } from '../kubelet-files.js';
import { MANIFESTS_DIR } from '../paths.js';
import { SURROUNDINGS, verdictOf } from '../rendered.js';

const MAKE_DIRECTORY = `mkdir -p -m 0700 ${MANIFESTS_DIR}
`;

/** Only a directory that is there when the kubelet starts is watched; one that comes later is polled. */
export const startStandaloneKubelet = defineHostPhase({
  name: 'kubelet/etcd',
  summary: 'kubelets on hosts of role etcd, which run static pods and belong to no cluster',
  target: 'etcd-hosts',
  needs: [RUNTIME, IMAGES, KUBELET_BINARIES],
  provides: [KUBELET],
  observe: () => ({
    files: KUBELET_FILES,
    stats: [...SURROUNDINGS.stats, MANIFESTS_DIR],
    units: [KUBELET_UNIT, ...SURROUNDINGS.units],
  }),
  plan: (context, host, seen) => {
    const there = seen.files.get(MANIFESTS_DIR)?.type === 'directory';
    const before: Change[] = there
      ? []
      : [{ kind: 'action', name: 'make-directory', summary: `make ${MANIFESTS_DIR}` }];
    return verdictOf(kubeletConfigChanges(context, host, seen, before));
  },
  actions: {
    'make-directory': async (_context, host) => {
      await host.script({ name: 'kubelet/make-directory', text: MAKE_DIRECTORY });
    },
  },
});
