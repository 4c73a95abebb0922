import type { KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type Bundle, loadBundle } from '../bundle/bundle.js';
import { isArchiveName, openBundle } from '../bundle/open.js';
import { publicKeys } from '../bundle/signature.js';
import type { ClusterConfig } from '../config/types.js';
import type { EngineEvent } from '../engine/events.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { type OnlineOptions, onlineBundle } from './online-bundle.js';

/** Public keys of a file. @throws PKI where it can't be read or holds none */
export async function readPublicKeys(file: string): Promise<KeyObject[]> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new KeelsonError('PKI', `${file}: can't be read`, {
      cause,
      hint: 'name the public key with which the bundle was signed',
    });
  });
  return publicKeys(text, file);
}

/**
 * The bundle that a cluster file names, its signature checked where the file names a key.
 * @throws BUNDLE: not there, corrupt, or not signed by that key
 */
export async function openClusterBundle(
  config: ClusterConfig,
  options: OnlineOptions,
  emit: (event: EngineEvent) => void,
): Promise<Bundle> {
  const { spec } = config;
  if (spec.bundle === 'online') return onlineBundle(config, options, emit);
  const path = spec.bundle ?? '';
  const keys = spec.bundlePublicKey === undefined ? [] : await readPublicKeys(spec.bundlePublicKey);
  if (options.bundleCache === undefined) {
    if (isArchiveName(path))
      throw new KeelsonError('BUNDLE', `${path}: is not unpacked`, {
        hint: 'unpack it with `keelson bundle import`, and name the directory',
      });
    if (keys.length === 0) return loadBundle(path);
  }
  return openBundle(path, {
    cacheDir: options.bundleCache ?? '',
    keys,
    // What only looks needs no second look at a file whose content was checked when it was unpacked.
    quick: options.bundleOptional === true,
    signal: options.signal,
    onUnpack: () => emit({ type: 'note', host: '', level: 'info', text: `unpacking ${path}` }),
  });
}
