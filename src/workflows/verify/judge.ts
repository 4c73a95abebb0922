/** What an attempt came to. */
export interface Verdict {
  passed: boolean;
  detail: string;
}

export interface HttpAnswer {
  status: number;
  body: string;
}

/** What a probe pod says of connections that it was asked to make. */
export interface DialOutcome {
  /** Bodies of the answers that it got. */
  responses: string[];
  /** What went wrong with the others. */
  errors: string[];
  /** Why the name could not be resolved, or null. */
  lookup: string | null;
}

/** Names of probe pods and the hosts that they run on. */
export type PodHosts = ReadonlyMap<string, string>;

/** Reads the answer of agnhost's `/dial`: JSON of responses and errors, or 400 for a name that has no address. */
export function readDial(answer: HttpAnswer): DialOutcome {
  const text = answer.body.trim();
  if (answer.status === 400)
    return {
      responses: [],
      errors: [],
      lookup: text.replace(/^host and\/or port param are invalid\.\s*/, ''),
    };
  try {
    const parsed = JSON.parse(text) as { responses?: string[]; errors?: string[] };
    return { responses: parsed.responses ?? [], errors: parsed.errors ?? [], lookup: null };
  } catch {
    return {
      responses: [],
      errors: [`the probe pod answered ${answer.status}: ${text.slice(0, 200)}`],
      lookup: null,
    };
  }
}

/** What attempts at several addresses came to: the first that failed, with its address where there are several. */
export function judgeAll(verdicts: readonly { address: string; verdict: Verdict }[]): Verdict {
  const failed = verdicts.find(({ verdict }) => !verdict.passed);
  if (failed === undefined) return { passed: true, detail: verdicts[0]?.verdict.detail ?? '' };
  const { address, verdict } = failed;
  return verdicts.length === 1 ? verdict : { passed: false, detail: `at ${address}: ${verdict.detail}` };
}

/** One connection to one pod: it has to be that very pod that answers. */
export function judgeReached(outcome: DialOutcome, pod: string): Verdict {
  const failure = outcome.lookup ?? outcome.errors[0];
  if (failure !== undefined) return { passed: false, detail: shortened(failure) };
  const [answer = ''] = outcome.responses;
  return answer === pod
    ? { passed: true, detail: '' }
    : { passed: false, detail: `another one answered: ${JSON.stringify(answer.slice(0, 80))}` };
}

/**
 * Connections to a service: all have to succeed, only its pods may answer, and enough of them.
 * @param met hosts of pods that answered in earlier rounds; this round's are added
 * @param need how many different pods have to have answered
 */
export function judgeService(outcome: DialOutcome, pods: PodHosts, met: Set<string>, need: number): Verdict {
  if (outcome.lookup !== null) return { passed: false, detail: shortened(outcome.lookup) };
  const stranger = outcome.responses.find((name) => !pods.has(name));
  if (stranger !== undefined)
    return { passed: false, detail: `another one answered: ${JSON.stringify(stranger.slice(0, 80))}` };
  for (const name of outcome.responses) met.add(pods.get(name) ?? name);
  const tries = outcome.responses.length + outcome.errors.length;
  const never = met.size < need ? [...pods.values()].filter((host) => !met.has(host)) : [];
  const missed = never.length > 0 ? `; never met the pod on ${never.slice(0, 5).join(', ')}` : '';
  if (outcome.errors.length > 0 || tries === 0) {
    const first = shortened(outcome.errors[0] ?? 'none was made');
    return {
      passed: false,
      detail: `${outcome.errors.length} of ${tries} connections failed: ${first}${missed}`,
    };
  }
  return met.size < need
    ? { passed: false, detail: `met ${met.size} of ${pods.size} pods${missed}` }
    : { passed: true, detail: `met ${met.size} of ${pods.size} pods` };
}

/**
 * A name has to lead to one of `addresses`. An answer from there proves it; so does a failed connection to that
 * address, which is for other checks to report.
 * @param proof tells whether a body can only come from the right place
 */
export function judgeName(
  outcome: DialOutcome,
  addresses: readonly string[],
  proof: (body: string) => boolean,
): Verdict {
  if (outcome.lookup !== null) return { passed: false, detail: shortened(outcome.lookup) };
  const [answer] = outcome.responses;
  if (answer !== undefined) {
    return proof(answer)
      ? { passed: true, detail: '' }
      : { passed: false, detail: `leads elsewhere: ${JSON.stringify(answer.slice(0, 80))}` };
  }
  const [error = 'no answer'] = outcome.errors;
  const dialled = /https?:\/\/(?:\[([^\]]+)\]|([^:/"]+)):\d+/.exec(error);
  const address = dialled?.[1] ?? dialled?.[2];
  if (address === undefined) return { passed: false, detail: shortened(error) };
  return addresses.includes(address)
    ? { passed: true, detail: `resolves to ${address}, which does not answer` }
    : { passed: false, detail: `resolves to ${address} instead of ${addresses.join(' or ')}` };
}

/** An error of Go's HTTP client without the URL that the row shows already. */
function shortened(error: string): string {
  return error
    .replace(/^Get "[^"]*": /, '')
    .replace(/context deadline exceeded \(Client\.Timeout[^)]*\)/, 'no answer within 5 s')
    .replace(/\s+/g, ' ')
    .slice(0, 200);
}
