import { fileChange } from '../../../src/engine/files.js';
import type { Artefact, EngineContext, HostEntry, HostPhase, Target } from '../../../src/engine/phase.js';
import { SATISFIED } from '../../../src/engine/phase.js';
import type { Change } from '../../../src/engine/types.js';
import { createFakeHost, type FakeHost } from '../../fakes/fake-host.js';

const HOSTS: readonly HostEntry[] = [
  { name: 'cp1', role: 'control-plane' },
  { name: 'cp2', role: 'control-plane' },
  { name: 'w1', role: 'worker' },
];

export function contextOf(inventory: readonly HostEntry[] = HOSTS): EngineContext {
  return { inventory, signal: new AbortController().signal };
}

/** One fake host for each of the inventory; they answer the journal. */
export function fakeHosts(inventory: readonly HostEntry[] = HOSTS): Map<string, FakeHost> {
  return new Map(
    inventory.map(({ name }) => {
      const host = createFakeHost({ name });
      host.on(/^<journal\/append>/, {});
      return [name, host];
    }),
  );
}

interface PhaseOptions {
  target?: Exclude<Target, 'cluster'>;
  needs?: readonly Artefact[];
  after?: readonly Artefact[];
  provides?: readonly Artefact[];
  serial?: boolean;
  rolling?: boolean;
}

/** A phase that wants one file. */
export function filePhase(
  name: string,
  path: string,
  text: string,
  options: PhaseOptions = {},
): HostPhase<EngineContext> {
  return {
    ...base(name, options),
    observe: () => ({ files: [path] }),
    plan: (_context, _host, seen) => {
      const change = fileChange({ path, text, mode: 0o644 }, seen);
      return change === null
        ? SATISFIED
        : { standing: 'missing', reasons: [change.reason], changes: [change] };
    },
  };
}

/** A phase of one action (or several), which counts as done once all were run. */
export function stepPhase(
  name: string,
  run: (host: string, step: string) => Promise<void> | void,
  options: PhaseOptions & { steps?: readonly string[]; disrupts?: boolean } = {},
): HostPhase<EngineContext> {
  const steps = options.steps ?? ['do'];
  const done = new Set<string>();
  const changesOn = (host: string): Change[] =>
    steps
      .filter((step) => !done.has(`${host} ${step}`))
      .map((step) => ({
        kind: 'action',
        name: step,
        summary: step,
        ...(options.disrupts === undefined ? {} : { disrupts: options.disrupts }),
      }));
  return {
    ...base(name, options),
    observe: () => ({}),
    plan: (_context, host) => {
      const changes = changesOn(host);
      return changes.length === 0 ? SATISFIED : { standing: 'missing', reasons: ['not done'], changes };
    },
    actions: Object.fromEntries(
      steps.map((step) => [
        step,
        async (_context, host) => {
          await run(host.name, step);
          done.add(`${host.name} ${step}`);
        },
      ]),
    ),
  };
}

function base(
  name: string,
  { target = 'all', needs = [], after = [], provides = [], serial, rolling }: PhaseOptions,
) {
  return {
    name,
    summary: name,
    target,
    needs,
    after,
    provides,
    ...(serial === undefined ? {} : { serial }),
    ...(rolling === undefined ? {} : { rolling }),
  };
}

/** A promise to be opened by hand. */
export function gate(): { passed: Promise<void>; open: () => void } {
  let open = () => {};
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}

/** Lets everything run that can run without waiting for something outside. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
