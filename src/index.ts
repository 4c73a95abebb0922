/** keelson as a library: it never prints, never exits, and reads neither argv nor the environment. */
export type { ClusterConfig, ResolvedHost, Role } from './config/types.js';
export type { EngineEvent, TimedEvent } from './engine/events.js';
export type {
  ActionChange,
  Change,
  FileChange,
  ImageChange,
  ObjectChange,
  Plan,
  ServiceChange,
  Standing,
  TaskPlan,
} from './engine/types.js';
export type { ErrorCode } from './errors/keelson-error.js';
export { exitCodeOf, KeelsonError } from './errors/keelson-error.js';
export type { ConnectOptions } from './host/settings.js';
export type {
  ApplyOptions,
  Cluster,
  LoadOptions,
  ParseOptions,
  PlanOptions,
  VerifyOptions,
  WorkOptions,
} from './library.js';
export {
  apply,
  init,
  join,
  kubeconfig,
  loadCluster,
  parseCluster,
  plan,
  reset,
  status,
  verify,
} from './library.js';
export type { ApplyResult } from './workflows/apply.js';
export type { HostTree, RenderTreesOptions, TreeFile } from './workflows/render.js';
export { renderTrees as render } from './workflows/render.js';
export type { ResetResult } from './workflows/reset.js';
export type { Session, SessionOptions } from './workflows/session.js';
export { openSession } from './workflows/session.js';
export type { ClusterStatus } from './workflows/status.js';
export type { VerifyReport } from './workflows/verify/checks.js';
