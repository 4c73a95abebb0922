import type { RotationKind } from './kind.js';
import { restartKubelet, restartPods } from './pods.js';
import { isLast, type Run } from './run.js';
import type { Step } from './state.js';
import { hasReached, markReached } from './store.js';

/** The kubelet wants a symbolic link to the certificate that it uses. */
const LINK = `set -e
ln -sfT "$1" "$2.new"
mv -T "$2.new" "$2"
`;

/**
 * A step on one host: files, restarts, and a look whether the processes show it. The host remembers that it is
 * through; what was broken off is done again from the beginning.
 * @returns whether there was anything to do
 */
export async function runHostStep(run: Run, kind: RotationKind, name: string, step: Step): Promise<boolean> {
  const { session, state } = run;
  const host = session.effects.host(name);
  if (await hasReached(host, state.id, step)) return false;
  const work = await kind.work(run, name, step);
  await host.put([...work.files]);
  for (const pair of work.kubeletPairs ?? []) await putPair(run, name, pair);
  const mark = isLast(step) ? null : `${state.id}/${step}`;
  for (const group of work.pods) await restartPods(run, name, { ...group, mark });
  await work.restart?.(mark);
  if (work.kubelet && work.pods.length === 0) await restartKubelet(run, name);
  await kind.settled(run, name, step);
  await markReached(host, state.id, step);
  return true;
}

async function putPair(
  run: Run,
  name: string,
  { current, content }: { current: string; content: Buffer },
): Promise<void> {
  const host = run.session.effects.host(name);
  const stamp = new Date(run.session.context.now()).toISOString().slice(0, 19).replaceAll(/[T:]/g, '-');
  const path = current.replace('current', stamp);
  await host.put([{ path, content, mode: 0o600 }]);
  await host.script({ name: 'rotate/kubelet-pair', text: LINK, args: [path, current] });
}
