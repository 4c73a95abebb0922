import { chmod, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './run.js';

/** From this version on go fetches the toolchain that a go.mod asks for by itself. */
const SELF_SWITCHING = '1.21';

/** -1, 0 or 1; versions as go names them, `1.26.0` or `go1.19.8`. */
export function compareGoVersions(a: string, b: string): number {
  const parts = (version: string) =>
    version
      .replace(/^go/, '')
      .split('.')
      .map((part) => Number.parseInt(part, 10) || 0);
  const [left, right] = [parts(a), parts(b)];
  for (let index = 0; index < 3; index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return Math.sign(difference);
  }
  return 0;
}

/** The highest `go` line of several go.mod files. */
export async function neededGoVersion(moduleFolders: readonly string[]): Promise<string> {
  let highest = SELF_SWITCHING;
  for (const folder of moduleFolders) {
    const text = await readFile(join(folder, 'go.mod'), 'utf8').catch(() => '');
    const version = /^go (\S+)$/m.exec(text)?.[1];
    if (version !== undefined && compareGoVersions(version, highest) > 0) highest = version;
  }
  return highest;
}

/**
 * A go that can build modules that need go `needed`: the given one, unless it is too old to switch by itself
 * (Debian 12 has 1.19). Then the toolchain is fetched as the module it is published as, its sum checked by go.
 * @returns path or name of the program
 */
export async function suitableGo(goProgram: string, needed: string, signal?: AbortSignal): Promise<string> {
  // Outside of a module: an old go refuses to read a newer go.mod.
  const options = { cwd: tmpdir(), env: { GOFLAGS: '', GOWORK: 'off' }, signal };
  const version = (await run(goProgram, ['env', 'GOVERSION'], options)).trim();
  if (compareGoVersions(version, SELF_SWITCHING) >= 0) return goProgram;
  const module = `golang.org/toolchain@v0.0.1-go${needed}.linux-amd64`;
  const listed = await run(goProgram, ['mod', 'download', '-json', module], {
    ...options,
    hint: `install go ${needed} or newer, or make the Go module proxy reachable`,
  });
  const { Dir } = JSON.parse(listed) as { Dir: string };
  // The module cache drops the executable bit.
  for (const folder of [join(Dir, 'bin'), join(Dir, 'pkg/tool/linux_amd64')]) {
    for (const name of await readdir(folder)) await chmod(join(folder, name), 0o555);
  }
  return join(Dir, 'bin', 'go');
}
