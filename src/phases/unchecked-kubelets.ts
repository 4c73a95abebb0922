import type { ClusterConfig } from '../config/types.js';
import type { ReadResult } from '../host/types.js';
import { lastArgument } from '../manifests/component-arguments.js';
import type { PhaseContext } from './context.js';
import { argumentsIn } from './etcd-manifest.js';
import { MANIFESTS_DIR } from './paths.js';

const FLAG = 'kubelet-certificate-authority';
export const API_SERVER_MANIFEST = `${MANIFESTS_DIR}/kube-apiserver.yaml`;

/**
 * Whether the API server that stands on a host does not check kubelets' certificates, and is to. One that is not there
 * yet checks from its start: nobody reads logs through it that could be read before.
 */
export function checksNotYet({ cluster }: ClusterConfig, seen: ReadResult): boolean {
  const found = argumentsIn(seen, API_SERVER_MANIFEST);
  const wanted = lastArgument(cluster.apiServer.extraArgs, FLAG) ?? '';
  return wanted !== '' && found !== null && (found.flag(FLAG) ?? '') === '';
}

/** The same, but for that: whoever renders with it leaves an API server that does not check as it is. */
export function notChecking(context: PhaseContext): PhaseContext {
  const { config } = context;
  const { apiServer } = config.cluster;
  const extraArgs = (apiServer.extraArgs ?? []).filter(({ name }) => name !== FLAG);
  const cluster = { ...config.cluster, apiServer: { ...apiServer, extraArgs } };
  return { ...context, config: { ...config, cluster } };
}
