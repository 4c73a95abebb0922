import type { CommandEntry } from './registry.js';

/** The overview of all commands, or of those of one group. */
export function helpPage(commands: readonly CommandEntry[], group?: string): string {
  const shown =
    group === undefined ? commands : commands.filter((command) => command.name.split(' ')[0] === group);
  const width = Math.max(...shown.map((command) => command.name.length), 0);
  const lines = shown.map((command) => `  ${command.name.padEnd(width)}  ${command.summary}`);
  return [
    'keelson installs and operates Kubernetes clusters over SSH.',
    '',
    `Usage: keelson ${group === undefined ? '<command>' : `${group} <command>`} [options]`,
    '',
    'Commands:',
    ...lines,
    '',
    'keelson <command> --help shows a command’s options.',
    '',
  ].join('\n');
}

/** The message for words that are no command, with the nearest ones. */
export function unknownCommand(argv: readonly string[], commands: readonly CommandEntry[]): string {
  const words = argv.filter((word) => !word.startsWith('-')).slice(0, 2);
  const first = words[0] ?? argv[0] ?? '';
  const near = commands
    .filter((command) =>
      command.name.split(' ').some((word) => words.includes(word) || word.startsWith(first.slice(0, 2))),
    )
    .map((command) => command.name)
    .slice(0, 4);
  const suggestion = near.length > 0 ? `\n  did you mean: ${near.join(', ')}?` : '';
  return `keelson: unknown command '${words.join(' ')}'${suggestion}\n  see keelson --help\n`;
}
