export interface RenderedFile {
  content: string;
  /** Permission bits, for example 0o600. */
  mode: number;
  /** Mode of parent directories that have to be made; default 0o755. */
  dirMode?: number;
}
