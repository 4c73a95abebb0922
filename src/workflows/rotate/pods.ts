import { KeelsonError } from '../../errors/keelson-error.js';
import type { FileSpec } from '../../host/types.js';
import { KUBELET_UNIT } from '../../manifests/kubelet.js';
import { MARK_ANNOTATION, markedManifest } from '../../manifests/marked-pod.js';
import { withHostEvidence } from '../../phases/evidence.js';
import { MANIFESTS_DIR } from '../../phases/paths.js';
import { awaitApi } from './await-api.js';
import type { Run } from './run.js';
import { ROTATION_DIR } from './store.js';

/** As long as kubeadm waits for a component of the control plane. */
const POD_MS = 240_000;
/** A kubelet renews its lease every ten seconds. */
const LEASE_MS = 90_000;

/** Manifests as they were before the rotation; each is kept once. */
const KEEP = `set -e
umask 077
kept="${ROTATION_DIR}/manifests-$1"
shift
mkdir -p "$kept"
for name; do
  [ -e "$kept/$name.yaml" ] && continue
  cp -p "${MANIFESTS_DIR}/$name.yaml" "$kept/.$name"
  mv "$kept/.$name" "$kept/$name.yaml"
done
`;

export interface PodRestart {
  components: readonly string[];
  /** Mark of the pods; null gives the manifests back that were there before the rotation. */
  mark: string | null;
  /** Arguments that get other values while marked, by component. */
  arguments?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/**
 * Starts static pods of a control plane anew and waits until the API says that they are Ready. Pods that have
 * their mark already are left alone. Restarts the kubelet, which takes new manifests faster that way.
 * @throws DEADLINE with the host's evidence
 */
export async function restartPods(run: Run, hostName: string, restart: PodRestart): Promise<void> {
  await run.session.effects.host(hostName).put(await manifests(run, hostName, restart));
  await restartKubelet(run, hostName);
  await awaitPods(run, hostName, restart);
}

/** Waits until these pods run with their mark. */
export async function awaitPods(
  run: Run,
  hostName: string,
  { components, mark }: Pick<PodRestart, 'components' | 'mark'>,
): Promise<void> {
  await Promise.all(components.map((component) => awaitPod(run, hostName, component, mark)));
}

/** The manifests of these pods with their mark. Those from before the rotation are kept first, once. */
export async function manifests(run: Run, hostName: string, restart: PodRestart): Promise<FileSpec[]> {
  const { session, state } = run;
  const host = session.effects.host(hostName);
  const { components, mark } = restart;
  await host.script({ name: 'rotate/keep-manifests', text: KEEP, args: [state.id, ...components] });
  const kept = (name: string) => `${ROTATION_DIR}/manifests-${state.id}/${name}.yaml`;
  const { files } = await host.read({ files: components.map(kept) });
  return components.map((name) => {
    const original = files.get(kept(name))?.content;
    if (original === undefined)
      throw new KeelsonError('BUG', `${kept(name)} is not there`, { host: hostName });
    const path = `${MANIFESTS_DIR}/${name}.yaml`;
    if (mark === null) return { path, content: original, mode: 0o600 };
    const args = restart.arguments?.[name];
    const text = markedManifest(original.toString('utf8'), path, {
      value: mark,
      ...(args === undefined ? {} : { arguments: args }),
    });
    return { path, content: Buffer.from(text), mode: 0o600 };
  });
}

async function awaitPod(run: Run, hostName: string, component: string, mark: string | null): Promise<void> {
  const { context } = run.session;
  const node = context.hostNamed(hostName).nodeRegistration.name;
  const ref = { apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system', name: `${component}-${node}` };
  const what = `${component} on ${hostName} to run anew`;
  try {
    await awaitApi(
      run,
      async (api) => {
        const pod = await api.get(ref);
        if (pod === null) return { met: false, state: 'the API does not know the pod' };
        const found = pod.metadata.annotations?.[MARK_ANNOTATION] ?? null;
        if (found !== mark) return { met: false, state: 'the kubelet has not taken the manifest yet' };
        const { conditions = [] } = (pod.status ?? {}) as { conditions?: { type: string; status: string }[] };
        const ready = conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
        return { met: ready, state: 'the pod is not Ready' };
      },
      { host: hostName, for: what, deadlineMs: POD_MS },
    );
  } catch (error) {
    throw await withHostEvidence(error, run.session.effects.host(hostName));
  }
}

/**
 * Restarts a node's kubelet and waits until it has renewed its lease, by which it shows that it reaches the API and
 * is known there; pods go on.
 * @throws DEADLINE with the host's evidence
 */
export async function restartKubelet(run: Run, hostName: string): Promise<void> {
  const { context, effects } = run.session;
  const name = context.hostNamed(hostName).nodeRegistration.name;
  const lease = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    namespace: 'kube-node-lease',
    name,
  };
  const host = effects.host(hostName);
  await host.service('restart', KUBELET_UNIT);
  let before: string | null = null;
  try {
    await awaitApi(
      run,
      async (api) => {
        const found = await api.get(lease);
        const renewed = String((found?.spec as { renewTime?: string } | undefined)?.renewTime ?? '');
        // The first look is after the restart: whatever changes from then on is the new kubelet's.
        before ??= renewed;
        return {
          met: renewed !== '' && renewed !== before,
          state: `its lease is of ${renewed === '' ? 'never' : renewed}`,
        };
      },
      {
        host: hostName,
        for: `the kubelet of ${hostName} to reach the API`,
        deadlineMs: LEASE_MS,
        hint: `on ${hostName}: journalctl -u kubelet`,
      },
    );
  } catch (error) {
    throw await withHostEvidence(error, host);
  }
}
