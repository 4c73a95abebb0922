/** What one minor of Kubernetes knows. */
export interface KnownOptions {
  /** Flags by program. */
  flags: Readonly<Record<string, readonly string[]>>;
  /** Feature gates of any component; those that are locked as `Name=true` or `Name=false`. */
  gates: readonly string[];
}

export const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '');
