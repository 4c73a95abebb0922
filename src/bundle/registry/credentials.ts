import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Credentials } from './client.js';

const schema = z.object({
  auths: z.record(z.string(), z.object({ auth: z.string().optional() }).loose()).optional(),
});

/**
 * Logins that docker, podman and skopeo have saved, by registry (`host[:port]`). Credential helpers are not asked.
 * @param files in the order in which they count, for example ~/.docker/config.json
 */
export async function savedCredentials(files: readonly string[]): Promise<Map<string, Credentials>> {
  const found = new Map<string, Credentials>();
  for (const file of files) {
    const text = await readFile(file, 'utf8').catch(() => '{}');
    for (const [key, { auth }] of Object.entries(parse(text)?.auths ?? {})) {
      const decoded = Buffer.from(auth ?? '', 'base64').toString('utf8');
      const at = decoded.indexOf(':');
      // Docker Hub is there under an address of its first API.
      const registry = key.replace(/^https?:\/\//, '').split('/')[0] ?? '';
      if (at < 1 || found.has(registry)) continue;
      found.set(registry, { username: decoded.slice(0, at), password: decoded.slice(at + 1) });
    }
  }
  return found;
}

function parse(text: string): z.infer<typeof schema> | null {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** Where those programs save their logins. */
export function credentialFiles(home: string, env: Readonly<Record<string, string | undefined>>): string[] {
  const { REGISTRY_AUTH_FILE, XDG_RUNTIME_DIR, DOCKER_CONFIG } = env;
  return [
    ...(REGISTRY_AUTH_FILE === undefined ? [] : [REGISTRY_AUTH_FILE]),
    ...(XDG_RUNTIME_DIR === undefined ? [] : [join(XDG_RUNTIME_DIR, 'containers', 'auth.json')]),
    join(home, '.config', 'containers', 'auth.json'),
    join(DOCKER_CONFIG ?? join(home, '.docker'), 'config.json'),
  ];
}
