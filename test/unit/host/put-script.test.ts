import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { buildPutPlan, receiverArgv } from '../../../src/host/put-script.js';
import { allOrNothing, quote } from '../../../src/host/quote.js';

describe('a script that is all or nothing', () => {
  it('runs nothing of itself when its end does not come', () => {
    const script = allOrNothing('echo one\nif true; then\n  echo "two $1"; fi\ncat <<EOF\n}\nEOF\nexit 3');
    const run = (text: string): { stdout: string; status: number | null } => {
      const { stdout, status } = spawnSync('sh', ['-s', '--', 'x'], { input: text });
      return { stdout: stdout.toString(), status };
    };
    expect(run(script)).toEqual({ stdout: 'one\ntwo x\n}\n', status: 3 });
    // Up to the closing brace; without the last line break alone it is whole.
    for (let length = 0; length < script.length - 2; length += 1) {
      expect(run(script.slice(0, length)).stdout).toBe('');
    }
  });
});

describe('the plan of a put', () => {
  const file = (path: string, mode: number, owner?: string): Parameters<typeof buildPutPlan>[0][number] => ({
    spec: { path, mode, content: Buffer.from(''), ...(owner === undefined ? {} : { owner }) },
    sha256: path.length.toString(16).padStart(64, '0'),
    size: path.endsWith('large') ? 5000 : 10,
    staged: path.replace(/[^/]+$/, (name) => `.keelson-id/${name}`),
  });

  it('makes directories, unpacks, verifies, sets owner and mode, flushes, renames', () => {
    const files = [
      file('/etc/a', 0o600),
      file("/opt/it's/b", 0o644, 'etcd:etcd'),
      file('/opt/bin/large', 0o755),
    ];
    const plan = buildPutPlan(files, 'id', 1000);
    expect(
      plan
        .split('\n')
        .filter((line) => !/^(?:set|LC_ALL|export|trap|if command)|KEELSON-SUMS|^[0-9a-f]{64} /.test(line)),
    ).toMatchInlineSnapshot(`
      [
        "clean() { rm -rf -- /etc/.keelson-id '/opt/it'\\''s/.keelson-id' /opt/bin/.keelson-id; }",
        "(umask 0022; mkdir -p -- /etc '/opt/it'\\''s' /opt/bin)",
        "umask 077",
        "mkdir -- /etc/.keelson-id '/opt/it'\\''s/.keelson-id' /opt/bin/.keelson-id",
        "tar -x -P -C / -f - -b 2048 --no-same-owner --touch",
        "[ "$(printf '%s\\0' /etc/.keelson-id/a '/opt/it'\\''s/.keelson-id/b' /opt/bin/.keelson-id/large | xargs -0 -r $sum 2>/dev/null | $end | sed -z 's/^\\(.\\{64\\}\\) [ *]/d \\1  /' | tr '\\0' '\\n' | cut -c3-66)" = '0000000000000000000000000000000000000000000000000000000000000006",
        "000000000000000000000000000000000000000000000000000000000000000b",
        "000000000000000000000000000000000000000000000000000000000000000e' ] ||",
        "chown -- etcd:etcd '/opt/it'\\''s/.keelson-id/b'",
        "chmod -- 0600 /etc/.keelson-id/a",
        "chmod -- 0644 '/opt/it'\\''s/.keelson-id/b'",
        "chmod -- 0755 /opt/bin/.keelson-id/large",
        "sync -- /etc/.keelson-id/a '/opt/it'\\''s/.keelson-id/b'",
        "mv -f -t /etc -- /etc/.keelson-id/a",
        "mv -f -t '/opt/it'\\''s' -- '/opt/it'\\''s/.keelson-id/b'",
        "mv -f -t /opt/bin -- /opt/bin/.keelson-id/large",
        "sync -- /etc '/opt/it'\\''s' /opt/bin",
        "",
      ]
    `);
  });

  it('is read off stdin to the byte, so that the archive follows', () => {
    const plan = allOrNothing('cat | wc -c');
    const [command = '', ...args] = receiverArgv(plan.length);
    const { stdout } = spawnSync(command, args, { input: `${plan}${'x'.repeat(100_000)}` });
    expect(stdout.toString().trim()).toBe('100000');
    expect(quote(receiverArgv(12))).toMatchInlineSnapshot(
      `"sh -c 'p=$(dd bs=65536 iflag=fullblock,count_bytes count="$1" 2>/dev/null) || exit 1; eval "$p"' keelson-put 12"`,
    );
  });
});
