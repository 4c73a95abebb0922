/** Progress of a build. Times are seconds; sizes are bytes. */
export type BundleEvent =
  | {
      kind: 'component';
      state: 'started';
      name: string;
      version: string;
      /** Of a cold build on two cores. */
      estimateSeconds: number;
      /** Estimates of this and all later components that have to be built. */
      remainingSeconds: number;
    }
  | {
      kind: 'component';
      state: 'progress';
      name: string;
      version: string /** Package being compiled. */;
      detail: string;
    }
  | { kind: 'component'; state: 'finished' | 'cached'; name: string; version: string; seconds: number }
  /** No signature is published with a file that should have one. */
  | { kind: 'unsigned'; url: string }
  | { kind: 'image'; reference: string; digest: string; size: number }
  | { kind: 'bundle'; dir: string; kubernetesVersion: string; files: number; images: number; bytes: number };

export type OnBundleEvent = (event: BundleEvent) => void;
