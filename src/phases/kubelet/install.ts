import { filesForRole } from '../../bundle/bundle.js';
import type { Change } from '../../engine/types.js';
import { KUBELET_DROP_IN_PATH, KUBELET_UNIT, KUBELET_UNIT_PATH } from '../../manifests/kubelet.js';
import { ETCD_KUBELET_DROP_IN_PATH } from '../../manifests/kubelet-standalone.js';
import { ADDONS, KUBELET_BINARIES } from '../artefacts.js';
import { blobChanges, digestProbe, OPERATOR_TOOLS } from '../blobs.js';
import type { PhaseContext } from '../context.js';
import { defineHostPhase } from '../context.js';
import { hostBundle } from '../host-bundle.js';
import { renderedChanges, SURROUNDINGS, verdictOf } from '../rendered.js';
import { serviceChanges } from '../services.js';

/** A host has one of the two drop-ins; what is not rendered for it is left out. */
const UNIT_FILES = [KUBELET_UNIT_PATH, KUBELET_DROP_IN_PATH, ETCD_KUBELET_DROP_IN_PATH];

/** States of a unit that runs, or will without being asked to. */
const RUNNING = ['active', 'activating', 'reloading'];

function binaries(context: PhaseContext, host: string, names: readonly string[]) {
  return filesForRole(hostBundle(context, host), context.hostNamed(host).role).filter((file) =>
    names.includes(file.name),
  );
}

export const installKubelet = defineHostPhase({
  name: 'kubelet/install',
  summary: 'the kubelet, with kubeadm’s systemd unit and drop-in',
  target: 'all',
  needs: [],
  provides: [KUBELET_BINARIES],
  bulk: true,
  observe: (context, host) => {
    const digests = digestProbe(binaries(context, host, ['kubelet']));
    return {
      files: UNIT_FILES,
      stats: [...digests.stats, ...SURROUNDINGS.stats],
      units: [KUBELET_UNIT, ...SURROUNDINGS.units],
      probes: digests.probes,
    };
  },
  plan: (context, host, seen) => {
    const blobs = blobChanges(binaries(context, host, ['kubelet']), seen);
    const units = renderedChanges(context, host, seen, UNIT_FILES);
    const state = seen.units.get(KUBELET_UNIT);
    const services = serviceChanges(KUBELET_UNIT, state, {
      touched: false,
      unitFileTouched: units.length > 0,
      start: false,
    });
    // A kubelet that runs already is restarted onto its new binary, also one that systemd is just starting, as after a
    // boot; one that never ran waits for its configuration.
    const replaced = units.length > 0 || blobs.length > 0;
    const restart: Change[] =
      replaced && RUNNING.includes(state?.active ?? '')
        ? [{ kind: 'service', op: 'restart', unit: KUBELET_UNIT, reason: 'the kubelet was replaced' }]
        : [];
    return verdictOf([...blobs, ...units, ...services, ...restart]);
  },
});

export const installTools = defineHostPhase({
  name: 'kubelet/tools',
  summary: 'kubectl and kubeadm, for the operator',
  target: 'all',
  // They come last: the cluster does not wait for them, neither for the line nor for its processors.
  needs: [ADDONS],
  provides: [],
  bulk: true,
  observe: (context, host) => digestProbe(binaries(context, host, OPERATOR_TOOLS)),
  plan: (context, host, seen) => verdictOf(blobChanges(binaries(context, host, OPERATOR_TOOLS), seen)),
});
