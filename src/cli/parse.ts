import { CommanderError, Option, Command as Parser } from 'commander';
import { KeelsonError } from '../errors/keelson-error.js';
import type { Command, GlobalOptions, OptionTable, OptionValues } from './command.js';

interface Parsed {
  args: string[];
  options: OptionValues<OptionTable>;
  global: GlobalOptions;
}

/**
 * Parses the words after a command's name.
 * @throws USAGE with what is wrong and where help is
 */
export function parseCommandLine(
  command: Command,
  words: readonly string[],
  defaults: GlobalOptions,
): Parsed | { help: string } {
  const parser = new Parser(`keelson ${command.name}`);
  parser.description(command.summary).exitOverride().showSuggestionAfterError(true);
  parser.configureOutput({ writeOut: () => undefined, writeErr: () => undefined });
  if (command.arguments !== undefined) {
    for (const argument of command.arguments.split(' ')) parser.argument(argument);
  }
  const keys = new Map<string, { attribute: string; negated: boolean }>();
  for (const [key, spec] of Object.entries(command.options)) {
    const option = new Option(spec.flags, spec.description);
    if (spec.kind === 'string' && spec.choices !== undefined) option.choices([...spec.choices]);
    if (spec.kind === 'number') option.argParser(wholeNumber(spec.flags));
    if (spec.kind === 'string' || spec.kind === 'number') option.argParser(once(spec.flags, option.parseArg));
    if (spec.kind === 'list') option.argParser(names(spec.flags)).default([]);
    if ((spec.kind === 'string' || spec.kind === 'number') && spec.default !== undefined)
      option.default(spec.default);
    parser.addOption(option);
    keys.set(key, { attribute: option.attributeName(), negated: option.negate });
  }
  parser.addOption(
    new Option('-o, --output <format>', 'form of the result')
      .choices(['text', 'wide', 'json', 'yaml', ...(command.outputs ?? [])])
      .default('text'),
  );
  parser.addOption(
    new Option('--log-format <format>', 'form of the progress on stderr')
      .choices(['text', 'json'])
      .default('text'),
  );
  parser.option('-v, --verbose', 'show every change and all evidence', false);
  if (command.details !== undefined) parser.addHelpText('after', `\n${command.details}`);
  parser.action(() => undefined);

  try {
    parser.parse([...words], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError && error.code === 'commander.helpDisplayed')
      return {
        help: parser.helpInformation() + (command.details === undefined ? '' : `\n${command.details}\n`),
      };
    const message = error instanceof Error ? error.message.replace(/^error: /, '') : String(error);
    throw new KeelsonError('USAGE', message, { hint: `see keelson ${command.name} --help` });
  }

  const values = parser.opts<Record<string, unknown>>();
  const options: Record<string, unknown> = {};
  for (const [key, { attribute, negated }] of keys) {
    const value = values[attribute];
    options[key] = negated
      ? value === false
      : (value ?? (command.options[key]?.kind === 'boolean' ? false : undefined));
  }
  return {
    args: parser.args,
    options: options as OptionValues<OptionTable>,
    global: {
      ...defaults,
      output: values.output as GlobalOptions['output'],
      logFormat: values.logFormat as GlobalOptions['logFormat'],
      verbose: values.verbose === true,
    },
  };
}

/** The last of several values would silently win. */
function once<T>(
  flags: string,
  parse: ((value: string, previous: T) => T) | undefined,
): (value: string, previous: T) => T | string {
  let given = false;
  return (value, previous) => {
    if (given) throw new KeelsonError('USAGE', `${flags} is given twice`);
    given = true;
    return parse === undefined ? value : parse(value, previous);
  };
}

/** Names separated by commas. An empty one, as an unset variable gives, must not become none, which is all. */
function names(flags: string): (value: string, before: string[]) => string[] {
  return (value, before) => {
    const given = value.split(',').map((name) => name.trim());
    if (given.includes('')) throw new KeelsonError('USAGE', `${flags}: "${value}" has an empty name`);
    return [...before, ...given];
  };
}

function wholeNumber(flags: string): (value: string) => number {
  return (value) => {
    if (!/^\d+$/.test(value)) throw new KeelsonError('USAGE', `${flags}: ${value} is no number from 0 up`);
    return Number(value);
  };
}
