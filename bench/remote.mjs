// How the scripts beside keelson reach machines: one ssh ControlMaster a node.
import { spawn } from 'node:child_process';
import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { built } from './dist.mjs';

/** What the nodes' commands say goes to `log`. */
export async function openRemote({ labDirectory, log, signal }) {
  const controls = await mkdtemp(join(tmpdir(), 'bench-ssh-'));
  const { sshArgv } = await built('lab/ssh.js');
  const ssh = (node, options, stdio, abort = signal) => {
    const [program, ...rest] = sshArgv(labDirectory, node);
    // The quickest cipher of the list, which keelson's own SSH client would choose too.
    const common = ['-o', `ControlPath=${controls}/${node.name}`, '-o', 'Ciphers=aes128-gcm@openssh.com'];
    return run(program, [...common, ...rest, ...options], {
      stdio,
      signal: abort ?? undefined,
      log,
      name: node.name,
    });
  };
  return {
    connect: (node) => ssh(node, ['-M', '-N', '-f'], 'ignore'),
    /** Runs a command on a node; returns its stdout. */
    onNode: (node, command, stdin = 'ignore') => ssh(node, ['--', command], [stdin, 'pipe', 'pipe']),
    close: async (nodes) => {
      await Promise.all(
        nodes.map((node) => ssh(node, ['-O', 'exit'], 'ignore', null).catch(() => undefined)),
      );
      await rm(controls, { recursive: true, force: true });
    },
  };
}

/** Runs a program; returns its stdout. Its stderr, and a failure, go to the log. */
function run(program, args, { stdio, signal, log, name }) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio, signal });
    const out = [];
    const err = [];
    child.stdout?.on('data', (chunk) => out.push(chunk));
    child.stderr?.on('data', (chunk) => err.push(chunk));
    child.once('error', reject);
    child.once('close', (code) => {
      const said = Buffer.concat(err).toString();
      const done = () =>
        code === 0
          ? resolve(Buffer.concat(out).toString())
          : reject(new Error(`${name}: ssh exited with ${code}\n${said.slice(-2000)}`));
      appendFile(log, `--- ${name}: exit ${code}\n${said}`).then(done, reject);
    });
  });
}
