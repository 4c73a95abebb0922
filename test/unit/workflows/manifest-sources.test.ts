import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readManifests } from '../../../src/workflows/manifest-sources.js';

const named = (name: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n`;
const { signal } = new AbortController();

let directory: string;
let server: Server;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keelson-manifests-'));
  server = createServer((request, response) => {
    response.statusCode = request.url === '/m.yaml' ? 200 : 404;
    response.end(named('fetched'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  server.close();
  await rm(directory, { recursive: true, force: true });
});

const urlOf = (path: string) => `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
const sha256 = createHash('sha256').update(named('fetched')).digest('hex');

describe('sources of manifests', () => {
  it('are files, directories in the order of their names, and URLs, one after the other', async () => {
    const many = join(directory, 'many');
    await mkdir(many);
    await writeFile(join(many, 'b.yaml'), named('b'));
    await writeFile(join(many, 'a.yml'), named('a'));
    await writeFile(join(many, 'README.md'), 'nothing');
    await writeFile(join(directory, 'one.yaml'), named('one'));
    const objects = await readManifests(
      [{ url: urlOf('/m.yaml'), sha256 }, { file: many }, { file: join(directory, 'one.yaml') }],
      signal,
    );
    expect(objects.map(({ metadata }) => metadata.name)).toEqual(['fetched', 'a', 'b', 'one']);
  });

  it('that can’t be read, or are not what the digest says, are errors', async () => {
    await expect(readManifests([{ file: join(directory, 'none') }], signal)).rejects.toMatchObject({
      code: 'CONFIG',
    });
    await expect(readManifests([{ file: directory }], signal)).rejects.toThrow('has no .yaml');
    await expect(
      readManifests([{ url: urlOf('/m.yaml'), sha256: '0'.repeat(64) }], signal),
    ).rejects.toMatchObject({ code: 'CONFIG', message: expect.stringContaining(sha256) });
    await expect(readManifests([{ url: urlOf('/other'), sha256 }], signal)).rejects.toMatchObject({
      code: 'CONNECTION',
    });
  });
});
