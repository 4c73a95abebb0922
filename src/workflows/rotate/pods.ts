import { componentHealth } from '../../cluster/component-health.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { FileSpec } from '../../host/types.js';
import { KUBELET_UNIT } from '../../manifests/kubelet.js';
import { markedManifest } from '../../manifests/marked-pod.js';
import { withHostEvidence } from '../../phases/evidence.js';
import { MANIFESTS_DIR } from '../../phases/paths.js';
import { servedOn } from '../../phases/served.js';
import type { StaticPod } from '../upgrade/keep.js';
import { type Replacing, swapStaticPods } from '../upgrade/static-pods.js';
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
  components: readonly StaticPod[];
  /** Mark of the pods; null gives the manifests back that were there before the rotation. */
  mark: string | null;
  /** Arguments that get other values while marked, by component. */
  arguments?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/**
 * Starts static pods of a control plane anew and waits until they are well: what serves nobody any more ends first,
 * and the kubelet, restarted, starts the new ones at once.
 * @throws DEADLINE with the host's evidence
 */
export async function restartPods(
  run: Run,
  hostName: string,
  restart: PodRestart,
  etcd?: Pick<Replacing, 'leadElsewhere'> & { serves: () => Promise<void> },
): Promise<void> {
  const { context, effects } = run.session;
  const files = await manifests(run, hostName, restart);
  const pods = new Map(
    restart.components.map((name, index) => [name, files[index]?.content as Buffer] as const),
  );
  let kubelet: Promise<void> = Promise.resolve();
  await swapStaticPods(context, effects.host(hostName), pods, {
    awaitPods: async (names) => {
      await Promise.all(
        names.map((name) => (name === 'etcd' ? etcd?.serves() : awaitPod(run, hostName, name))),
      );
    },
    leadElsewhere: async () => etcd?.leadElsewhere(),
    restartKubelet: async () => {
      const started = await kubeletStarted(run, hostName);
      // It reaches the API perhaps only once its own API server is back.
      kubelet = awaitLease(run, hostName, started);
      kubelet.catch(() => undefined);
    },
  });
  await kubelet;
}

/** The manifests of these pods with their mark. Those from before the rotation are kept first, once. */
async function manifests(run: Run, hostName: string, restart: PodRestart): Promise<FileSpec[]> {
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

/** Waits until a component of a control plane is well, as itself says. */
async function awaitPod(run: Run, hostName: string, component: StaticPod): Promise<void> {
  const { context, effects } = run.session;
  const host = effects.host(hostName);
  const plane = run.planes.find(({ name }) => name === hostName);
  const served = servedOn(context.config, context.hostNamed(hostName));
  const door = served.find(({ program }) => program === component)?.endpoint;
  try {
    await awaitApi(
      run,
      async () => {
        if (component !== 'kube-apiserver') {
          const state = door === undefined ? 'ok' : await componentHealth(host, door);
          return { met: state === 'ok', state };
        }
        const api = await run.api(plane);
        await api.request('GET', '/readyz', { timeoutMs: 5_000 });
        // It may be ready, for which it asks nobody, seconds before it knows who may do what.
        await api.request('GET', '/api/v1/namespaces/kube-system', { timeoutMs: 5_000 });
        return { met: true, state: '' };
      },
      {
        host: hostName,
        for: `${component} of ${hostName} to run anew`,
        deadlineMs: POD_MS,
        hint: `on ${hostName}: the logs of ${component} in /var/log/containers`,
      },
    );
  } catch (error) {
    throw await withHostEvidence(error, host);
  }
}

/** Prints when, by the clock of the host, on which its kubelet goes too. */
const RESTART_KUBELET = `systemctl restart ${KUBELET_UNIT} && date -u +%Y-%m-%dT%H:%M:%S.%6NZ`;

/** Restarts the kubelet of a host. @returns when, RFC 3339 with microseconds: what it did before was before that */
async function kubeletStarted(run: Run, hostName: string): Promise<string> {
  const host = run.session.effects.host(hostName);
  const { stdout } = await host.script({ name: 'rotate/restart-kubelet', text: RESTART_KUBELET });
  return stdout.toString().trim();
}

/**
 * Restarts a node's kubelet and waits until it has renewed its lease, by which it shows that it reaches the API and
 * is known there; pods go on.
 * @throws DEADLINE with the host's evidence
 */
export async function restartKubelet(run: Run, hostName: string): Promise<void> {
  await awaitLease(run, hostName, await kubeletStarted(run, hostName));
}

async function awaitLease(run: Run, hostName: string, since: string): Promise<void> {
  const { context, effects } = run.session;
  const name = context.hostNamed(hostName).nodeRegistration.name;
  const lease = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    namespace: 'kube-node-lease',
    name,
  };
  try {
    await awaitApi(
      run,
      async (api) => {
        const found = await api.get(lease);
        const renewed = String((found?.spec as { renewTime?: string } | undefined)?.renewTime ?? '');
        return { met: renewed > since, state: `its lease is of ${renewed === '' ? 'never' : renewed}` };
      },
      {
        host: hostName,
        for: `the kubelet of ${hostName} to reach the API`,
        deadlineMs: LEASE_MS,
        hint: `on ${hostName}: journalctl -u kubelet`,
      },
    );
  } catch (error) {
    throw await withHostEvidence(error, effects.host(hostName));
  }
}
