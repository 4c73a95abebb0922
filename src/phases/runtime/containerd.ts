import { filesForRole } from '../../bundle/bundle.js';
import type { Change } from '../../engine/types.js';
import {
  CONTAINERD_CONFIG,
  CONTAINERD_UNIT,
  CONTAINERD_UNIT_PATH,
  CRICTL_CONFIG,
} from '../../manifests/containerd.js';
import { PREPARED_HOST, RUNTIME } from '../artefacts.js';
import { blobChanges, digestProbe, KUBERNETES_BINARIES } from '../blobs.js';
import type { PhaseContext } from '../context.js';
import { defineHostPhase } from '../context.js';
import { hostBundle } from '../host-bundle.js';
import { renderedChanges, SURROUNDINGS, verdictOf } from '../rendered.js';
import { serviceChanges } from '../services.js';

const TEXT_FILES = [CONTAINERD_CONFIG, CONTAINERD_UNIT_PATH, CRICTL_CONFIG];

function runtimeFiles(context: PhaseContext, host: string) {
  return filesForRole(hostBundle(context, host), context.hostNamed(host).role).filter(
    (file) => !KUBERNETES_BINARIES.includes(file.name),
  );
}

export const containerd = defineHostPhase({
  name: 'runtime/containerd',
  summary: 'containerd, runc and CNI plugins installed and running',
  target: 'all',
  needs: [PREPARED_HOST],
  provides: [RUNTIME],
  bulk: true,
  observe: (context, host) => {
    const binaries = digestProbe(runtimeFiles(context, host));
    return {
      files: TEXT_FILES,
      stats: [...binaries.stats, ...SURROUNDINGS.stats],
      units: [CONTAINERD_UNIT, ...SURROUNDINGS.units],
      probes: binaries.probes,
    };
  },
  plan: (context, host, seen) => {
    const changes: Change[] = [
      ...blobChanges(runtimeFiles(context, host), seen),
      ...renderedChanges(context, host, seen, TEXT_FILES),
    ];
    const unit = seen.units.get(CONTAINERD_UNIT);
    // Containers live on in their shims, so a restart of containerd disrupts none of them.
    const touched = changes.some(
      (change) =>
        change.kind === 'file' && !change.path.startsWith('/opt/cni/') && change.path !== CRICTL_CONFIG,
    );
    return verdictOf([
      ...changes,
      ...serviceChanges(CONTAINERD_UNIT, unit, {
        touched,
        unitFileTouched: changes.some(
          (change) => change.kind === 'file' && change.path === CONTAINERD_UNIT_PATH,
        ),
      }),
    ]);
  },
});
