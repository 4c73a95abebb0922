import type { Bundle } from '../../bundle/bundle.js';

export interface RenderingOptions {
  /** With leading v; charts ask for it. */
  kubernetesVersion: string;
  /** The cluster's bundle, whose programs come first; null where there is none. */
  bundle: () => Bundle | null;
  /** keelson's cache of programs and charts; without it only programs of this machine are used. */
  cacheDir?: string | undefined;
  note: (text: string) => void;
  signal: AbortSignal;
}
