import { KUBELET_UNIT } from '../../manifests/kubelet.js';
import {
  API_PODS,
  CREDENTIALS,
  FIRST_KUBELET,
  IMAGES,
  KUBELET,
  KUBELET_BINARIES,
  RUNTIME,
} from '../artefacts.js';
import { defineHostPhase } from '../context.js';
import { KUBELET_FILES, kubeletConfigChanges } from '../kubelet-files.js';
import { SURROUNDINGS, verdictOf } from '../rendered.js';

export const startKubelet = defineHostPhase({
  name: 'kubelet-start',
  summary: 'configuration of a control plane’s kubelet, and the kubelet running with it',
  target: 'first-control-plane',
  needs: [RUNTIME, IMAGES, KUBELET_BINARIES, CREDENTIALS, API_PODS],
  provides: [KUBELET, FIRST_KUBELET],
  observe: () => ({
    files: KUBELET_FILES,
    stats: SURROUNDINGS.stats,
    units: [KUBELET_UNIT, ...SURROUNDINGS.units],
  }),
  plan: (context, host, seen) => verdictOf(kubeletConfigChanges(context, host, seen)),
});
