import type { Artefact, Target, Verdict } from '../../engine/phase.js';
import type { Change } from '../../engine/types.js';
import type { ReadResult } from '../../host/types.js';
import { KUBELET_UNIT } from '../../manifests/kubelet.js';
import { CERTIFICATE_MODE, certificatePaths } from '../../pki/table.js';
import {
  API,
  CREDENTIALS,
  ENDPOINT,
  IMAGES,
  JOIN_RIGHTS,
  KUBELET,
  KUBELET_BINARIES,
  NODES,
  RUNTIME,
} from '../artefacts.js';
import { defineHostPhase, type PhaseContext } from '../context.js';
import { KUBELET_FILES, kubeletConfigChanges } from '../kubelet-files.js';
import { KUBELET_CLIENT_CERTIFICATE, KUBELET_CONF } from '../paths.js';
import { SURROUNDINGS, verdictOf } from '../rendered.js';
import { exists } from '../seen.js';
import { bootstrapKubelet } from './bootstrap.js';

/** Artefact name of the cluster CA's certificate, which is public. */
export const CA_CERTIFICATE_ARTEFACT = 'cluster-ca';

interface JoinPhase {
  name: string;
  summary: string;
  target: Exclude<Target, 'cluster'>;
  needs: readonly Artefact[];
  provides: readonly Artefact[];
  /** The host has no PKI of its own: it gets the CA's certificate here. */
  bringsCa: boolean;
}

function joinPhase({ bringsCa, ...phase }: JoinPhase) {
  return defineHostPhase({
    ...phase,
    observe: (context) => ({
      files: [...KUBELET_FILES, KUBELET_CONF, caPathOf(context)],
      stats: [...SURROUNDINGS.stats, KUBELET_CLIENT_CERTIFICATE],
      units: [KUBELET_UNIT, ...SURROUNDINGS.units],
    }),
    plan: (context, host, seen) => planJoin(context, host, seen, bringsCa),
    actions: { bootstrap: (context, host) => bootstrapKubelet(context, host) },
  });
}

const HOST_NEEDS = [API, JOIN_RIGHTS, RUNTIME, IMAGES, KUBELET_BINARIES];

export const joinWorker = joinPhase({
  name: 'join/worker',
  summary: 'workers into the cluster by TLS bootstrap, each with a short-lived token of its own',
  target: 'workers',
  needs: [...HOST_NEEDS, ENDPOINT],
  provides: [NODES],
  bringsCa: true,
});

/** They need no endpoint: where that is out of order because of one of them, this is what brings it back. */
export const joinControlPlane = joinPhase({
  name: 'join/control-plane',
  summary: 'kubelets of further control planes into the cluster by TLS bootstrap',
  target: 'joining-control-planes',
  needs: [...HOST_NEEDS, CREDENTIALS],
  provides: [KUBELET],
  bringsCa: false,
});

const caPathOf = (context: PhaseContext) => certificatePaths(context.config.cluster, { baseName: 'ca' }).cert;

function planJoin(context: PhaseContext, host: string, seen: ReadResult, bringsCa: boolean): Verdict {
  const caPath = caPathOf(context);
  const found = seen.files.get(caPath)?.content?.toString();
  const wanted = context.trust.caCertificate();
  // The kubelet writes kubelet.conf when it asks; it belongs to the cluster once it has its certificate.
  const joined = [KUBELET_CONF, KUBELET_CLIENT_CERTIFICATE].every((path) => exists(seen, path));
  if (joined && found !== wanted) {
    const reason = `${host} belongs to another cluster: its ${caPath} is not this cluster's CA. To give it up: keelson reset --host ${host}`;
    return { standing: 'blocked', reasons: [reason], changes: [] };
  }
  const before: Change[] = [];
  if (bringsCa && (found === undefined || found !== wanted)) {
    before.push({
      kind: 'file',
      op: found === undefined ? 'create' : 'update',
      path: caPath,
      mode: CERTIFICATE_MODE,
      content: {
        kind: 'secret',
        artefact: CA_CERTIFICATE_ARTEFACT,
        summary: 'certificate of the cluster CA',
      },
      reason: found === undefined ? `${caPath} is missing` : `${caPath} is not this cluster's CA`,
    });
  }
  const changes = kubeletConfigChanges(context, host, seen, before);
  if (joined) return verdictOf(changes);
  const summary = 'start the kubelet and join by TLS bootstrap with a one-time token';
  const files = changes.filter((change) => change.kind !== 'service');
  return verdictOf([...files, { kind: 'action', name: 'bootstrap', summary }]);
}
