import { KeelsonError } from '../../errors/keelson-error.js';

/** What of the operator's environment must not decide what a chart becomes: no cluster, no namespace, no plugins' noise. */
export const HELM_ENVIRONMENT: Readonly<Record<string, string | undefined>> = {
  HELM_DEBUG: undefined,
  HELM_NAMESPACE: undefined,
  HELM_KUBECONTEXT: undefined,
  HELM_KUBEAPISERVER: undefined,
  HELM_KUBETOKEN: undefined,
  KUBECONFIG: undefined,
};

/** What helm or kustomize says is wrong: its `Error:` line, else the last line of its stderr. */
export function spokenReason(error: unknown): string {
  const { stderr = '' } = (error instanceof KeelsonError ? error.details : undefined) as { stderr?: string };
  const said = /^error: (.*)$/im.exec(stderr)?.[1] ?? stderr.trim().split('\n').at(-1) ?? '';
  return said === '' ? (error instanceof Error ? error.message : String(error)) : said;
}
