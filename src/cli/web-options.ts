import { resolve } from 'node:path';
import { type Mirrors, NO_MIRRORS, readMirrors } from '../bundle/mirrors.js';
import { credentialFiles, savedCredentials } from '../bundle/registry/credentials.js';
import type { WebSettings } from '../web/client.js';
import type { CliIO } from './command.js';

/** Options of commands that talk to release sites and registries. */
export const WEB_OPTIONS = {
  mirrors: {
    flags: '--mirrors <file>',
    description: 'YAML file: where official addresses and registries are mirrored',
    kind: 'string',
  },
} as const;

/** Mirrors, logins and proxies of a command. */
export async function webOptions(
  mirrors: string | undefined,
  io: CliIO,
): Promise<{
  mirrors: Mirrors;
  saved: Awaited<ReturnType<typeof savedCredentials>>;
  web: Omit<WebSettings, 'caFiles'>;
}> {
  const { env } = io;
  return {
    mirrors: mirrors === undefined ? NO_MIRRORS : await readMirrors(resolve(io.cwd, mirrors)),
    saved: await savedCredentials(credentialFiles(io.home, env)),
    web: {
      httpProxy: env.http_proxy ?? env.HTTP_PROXY,
      httpsProxy: env.https_proxy ?? env.HTTPS_PROXY,
      noProxy: env.no_proxy ?? env.NO_PROXY,
    },
  };
}
