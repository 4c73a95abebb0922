import type { Arg } from '../config/types.js';

/**
 * Flags of a component, as kubeadm merges them: the defaults sorted by name, without those that the user
 * gives; then the user's in their order, repeated ones kept.
 */
export function mergeArguments(defaults: readonly Arg[], overrides: readonly Arg[] = []): string[] {
  const overridden = new Set(overrides.map((arg) => arg.name));
  const kept = defaults
    .filter((arg) => !overridden.has(arg.name))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return [...kept, ...overrides].map((arg) => `--${arg.name}=${arg.value}`);
}

/** Value of the last argument of that name, which is the one that components obey. */
export function lastArgument(args: readonly Arg[] | undefined, name: string): string | undefined {
  return args?.findLast((arg) => arg.name === name)?.value;
}

/** Names and values as arguments, in the object's order. */
export function argumentsOf(values: Readonly<Record<string, string>>): Arg[] {
  return Object.entries(values).map(([name, value]) => ({ name, value }));
}
