import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';

const MODULE = 'github.com/versity/versitygw';
const VERSION = 'v1.8.0';
const PORT = 17_070;

export interface S3Server {
  endpoint: string;
  /** Names of the objects of a bucket, as they lie on the disk. */
  directory: (bucket: string) => string;
  env: Readonly<Record<string, string>>;
  stop: () => Promise<void>;
}

/** A server of the S3 API that somebody else wrote, compiled from its Go module once (minutes), and kept in the cache. */
async function serverProgram(): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'keelson', 'tools');
  const program = join(cache, `versitygw-${VERSION}`);
  if (existsSync(program)) return program;
  mkdirSync(cache, { recursive: true });
  const env = { GOBIN: cache, GOFLAGS: '', GOWORK: 'off', CGO_ENABLED: '0' };
  await execa('go', ['install', `${MODULE}/cmd/versitygw@${VERSION}`], { env });
  await execa('mv', [join(cache, 'versitygw'), program]);
  return program;
}

/** Starts it on this computer with a bucket, on a directory that goes with it. */
export async function startS3Server(bucket: string): Promise<S3Server> {
  const program = await serverProgram();
  const root = mkdtempSync(join(tmpdir(), 'keelson-s3-'));
  mkdirSync(join(root, bucket));
  const keys = { AWS_ACCESS_KEY_ID: 'AKIDLONG', AWS_SECRET_ACCESS_KEY: randomBytes(20).toString('base64') };
  const child = execa(program, ['--port', `127.0.0.1:${PORT}`, '--region', 'eu-lab-1', 'posix', root], {
    env: { ROOT_ACCESS_KEY: keys.AWS_ACCESS_KEY_ID, ROOT_SECRET_KEY: keys.AWS_SECRET_ACCESS_KEY },
    reject: false,
  });
  const endpoint = `http://127.0.0.1:${PORT}`;
  const deadline = Date.now() + 30_000;
  while (!(await answers(endpoint))) {
    if (Date.now() > deadline) throw new Error(`no S3 server at ${endpoint}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    endpoint,
    directory: (name) => join(root, name),
    env: { ...keys, AWS_REGION: 'eu-lab-1' },
    stop: async () => {
      child.kill('SIGKILL');
      await child;
      rmSync(root, { recursive: true, force: true });
    },
  };
}

const answers = (endpoint: string): Promise<boolean> =>
  fetch(endpoint).then(
    () => true,
    () => false,
  );
