import { REGISTRY_CONFIG_DIRECTORY } from './containerd.js';

export interface RegistryMirror {
  /** Registry in the names of images: `registry.k8s.io`. */
  registry: string;
  /** `https://host[:port][/prefix]`; the prefix goes before repositories. */
  url: string;
  /** Value of the header Authorization, a secret. */
  authorization: string | null;
  hasCa: boolean;
}

/** containerd's settings of a registry. */
export function hostsTomlPath(registry: string): string {
  return `${REGISTRY_CONFIG_DIRECTORY}/${registry}/hosts.toml`;
}

/** CA certificates of its mirror. */
export function mirrorCaPath(registry: string): string {
  return `${REGISTRY_CONFIG_DIRECTORY}/${registry}/mirror-ca.crt`;
}

/**
 * hosts.toml of a registry whose images are asked for elsewhere first, and at the registry itself where the mirror
 * has no answer. Takes effect with the next pull; nothing has to be restarted.
 */
export function hostsToml({ registry, url, authorization, hasCa }: RegistryMirror): string {
  const { origin, pathname } = new URL(url);
  const prefix = pathname.replace(/^\/+|\/+$/g, '');
  // With a path containerd appends nothing of its own, so `/v2` has to stand there.
  const host = prefix === '' ? origin : `${origin}/v2/${prefix}`;
  const key = `host.${JSON.stringify(host)}`;
  return [
    `[${key}]`,
    '  capabilities = ["pull", "resolve"]',
    ...(prefix === '' ? [] : ['  override_path = true']),
    ...(hasCa ? [`  ca = ${JSON.stringify(mirrorCaPath(registry))}`] : []),
    ...(authorization === null
      ? []
      : [`  [${key}.header]`, `    authorization = ${JSON.stringify(authorization)}`]),
    '',
  ].join('\n');
}
