import { exitCodeOf, type KeelsonError } from '../errors/keelson-error.js';
import { redact } from '../errors/redaction.js';

/** An error as the terminal shows it: what, where, evidence, remedy; or as one JSON line. */
export function errorText(error: KeelsonError, options: { json: boolean; stack: boolean }): string {
  if (options.json) {
    const line = {
      type: 'error',
      code: error.code,
      exitCode: exitCodeOf(error),
      message: redact(error.message),
      host: error.host,
      phase: error.phase,
      hint: error.hint,
      details: error.details,
    };
    return `${redact(JSON.stringify(line))}\n`;
  }
  const where = [error.host, error.phase].filter((part) => part !== undefined).join(', ');
  const lines = [`keelson: ${error.code}${where === '' ? '' : ` (${where})`}: ${error.message}`];
  const evidence = evidenceOf(error.details);
  if (evidence !== '') lines.push(evidence.replaceAll(/^/gm, '  | '));
  if (error.hint !== undefined) lines.push(`  → ${error.hint}`);
  if (options.stack && error.stack !== undefined) lines.push(error.stack);
  return redact(`${lines.join('\n')}\n`);
}

function evidenceOf(details: unknown): string {
  if (typeof details !== 'object' || details === null) return '';
  const { stderr, stdout } = details as { stderr?: unknown; stdout?: unknown };
  const text = [stderr, stdout]
    .filter((part): part is string => typeof part === 'string' && part.trim() !== '')
    .join('\n');
  return text.trimEnd().split('\n').slice(-20).join('\n');
}
