import { filesForRole } from '../../bundle/bundle.js';
import type { Change } from '../../engine/types.js';
import { KUBELET_DROP_IN_PATH, KUBELET_UNIT, KUBELET_UNIT_PATH } from '../../manifests/kubelet.js';
import { KUBELET_BINARIES } from '../artefacts.js';
import { blobChanges, digestProbe, KUBERNETES_BINARIES } from '../blobs.js';
import type { PhaseContext } from '../context.js';
import { defineHostPhase } from '../context.js';
import { renderedChanges, SURROUNDINGS, verdictOf } from '../rendered.js';
import { serviceChanges } from '../services.js';

const UNIT_FILES = [KUBELET_UNIT_PATH, KUBELET_DROP_IN_PATH];

function binaries(context: PhaseContext, host: string) {
  return filesForRole(context.bundle, context.hostNamed(host).role).filter((file) =>
    KUBERNETES_BINARIES.includes(file.name),
  );
}

export const installKubelet = defineHostPhase({
  name: 'kubelet/install',
  summary: 'kubelet, kubectl and kubeadm, with kubeadm’s systemd unit and drop-in',
  target: 'all',
  needs: [],
  provides: [KUBELET_BINARIES],
  observe: (context, host) => {
    const digests = digestProbe(binaries(context, host));
    return {
      files: UNIT_FILES,
      stats: [...digests.stats, ...SURROUNDINGS.stats],
      units: [KUBELET_UNIT, ...SURROUNDINGS.units],
      probes: digests.probes,
    };
  },
  plan: (context, host, seen) => {
    const blobs = blobChanges(binaries(context, host), seen);
    const units = renderedChanges(context, host, seen, UNIT_FILES);
    const state = seen.units.get(KUBELET_UNIT);
    const changes: Change[] = [...blobs, ...units];
    const replaced = units.length > 0 || blobs.some((change) => change.path.endsWith('/kubelet'));
    const services = serviceChanges(KUBELET_UNIT, state, {
      touched: false,
      unitFileTouched: units.length > 0,
      start: false,
    });
    // A kubelet that runs already is restarted onto its new binary; one that never ran waits for its configuration.
    const restart: Change[] =
      replaced && state?.active === 'active'
        ? [{ kind: 'service', op: 'restart', unit: KUBELET_UNIT, reason: 'the kubelet was replaced' }]
        : [];
    return verdictOf([...changes, ...services, ...restart]);
  },
});
