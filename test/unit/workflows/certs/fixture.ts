import { runTasks } from '../../../../src/engine/runner.js';
import { type Renewal, renewal } from '../../../../src/phases/certs/renew.js';
import { applyCluster } from '../../../../src/workflows/apply.js';
import { NO_JOURNAL } from '../../../../src/workflows/leave.js';
import { phasesNamed } from '../../../../src/workflows/phase-selection.js';
import { makePlan } from '../../../../src/workflows/plan.js';
import { cluster, type FakeSession, fakeSession } from '../fixture.js';

export const PKI = '/etc/kubernetes/pki';

/** A session whose hosts have certificates and kubeconfigs, and nothing else. */
export async function withCertificates(config = cluster()): Promise<FakeSession> {
  const session = fakeSession(config);
  for (const group of ['certs', 'kubeconfig']) {
    await applyCluster(session, { phases: phasesNamed(group), owner: 'me', preflight: false });
  }
  for (const host of session.fakes.values()) host.calls.length = 0;
  return session;
}

/** A file of a host. */
export const textOn = (session: FakeSession, host: string, path: string) =>
  session.fakes.get(host)?.files.get(path)?.content.toString() ?? '';

/** A renewal's changes, without the wait for programs that fake hosts have not. */
export async function renew(session: FakeSession, names: readonly string[], given?: Renewal['given']) {
  const { context } = session;
  const run = renewal({
    names: new Set(names),
    kubelets: () => null,
    repair: true,
    ...(given === undefined ? {} : { given }),
  });
  const phases = run.phases.filter(({ name }) => name !== 'certs/settle');
  const plan = await makePlan(session, { phases });
  const secret = async (artefact: string) =>
    (await run.secret(context, artefact)) ?? (await session.effects.secret(artefact));
  await runTasks({
    phases,
    tasks: plan.tasks,
    context,
    readers: session.readers,
    effects: { ...session.effects, secret },
    journal: NO_JOURNAL,
    emit: session.emit,
    concurrency: 8,
    stop: new AbortController().signal,
  });
  return { plan, run };
}
