import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { checkLab } from '../../../src/lab/check.js';
import type { LabRequest } from '../../../src/lab/types.js';

async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'keelson-lab-check-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

const request = (more: Partial<LabRequest> = {}): LabRequest => ({
  name: 'demo',
  directory: '/srv/demo',
  cacheDir: '/cache',
  ...more,
});

describe('a lab that can not be', () => {
  it.each([
    [{ name: 'Demo' }, "'Demo' is no name for a lab"],
    [{ directory: '/srv/other' }, "can't be the directory of lab 'demo'"],
    [{ controlPlanes: 0 }, "can't have 0 control planes"],
    [{ controlPlanes: 10 }, "can't have 10 control planes"],
    [{ workers: 100 }, '100 workers'],
    [{ etcd: 7 }, '7 hosts for etcd'],
  ])('is refused for %j', async (more, message) => {
    await expect(checkLab(request(more), await scratch())).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining(message),
    });
  });

  it.skipIf(process.getuid?.() !== 0)(
    'is refused where one of that name is elsewhere, or is another',
    async () => {
      const stateRoot = await scratch();
      await mkdir(join(stateRoot, 'demo'));
      const state = {
        version: 1,
        name: 'demo',
        directory: '/srv/demo',
        subnet: '10.88.0.0/24',
        base: '/b',
        nodes: [],
      };
      await writeFile(join(stateRoot, 'demo', 'lab.json'), JSON.stringify(state));
      await expect(checkLab(request({ directory: '/else/demo' }), stateRoot)).rejects.toThrow(
        "lab 'demo' belongs to /srv/demo",
      );
      await expect(checkLab(request({ dualStack: true }), stateRoot)).rejects.toThrow('has IPv4 only');
    },
  );
});
