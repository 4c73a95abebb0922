import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { END_HELD_API } from '../../../src/phases/etcd/join-member.js';

describe('an API server beside an etcd', () => {
  it('is ended where no etcd runs, and not where one does', async () => {
    const child = spawn('sh', ['-c', 'printf keelson-held > /proc/self/comm; read -r _']);
    const ended = once(child, 'exit').then(([, signal]) => signal as string);
    // No process of a test is in a pod.
    const anywhere = END_HELD_API.replaceAll('kubepods', '.');
    const run = (etcd: string, input = anywhere) =>
      spawnSync('sh', ['-s', '--', etcd, 'keelson-held'], { input }).status;
    expect(run('keelson-none', END_HELD_API)).toBe(0);
    expect(child.exitCode ?? child.signalCode).toBeNull();
    // The shell that runs the script stands for an etcd.
    expect(run('sh')).toBe(0);
    expect(child.exitCode ?? child.signalCode).toBeNull();
    await expect.poll(() => run('keelson-none') === 0 && child.killed === false).toBe(true);
    expect(await ended).toBe('SIGKILL');
  });
});
