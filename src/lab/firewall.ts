import { readFile } from 'node:fs/promises';
import { KeelsonError } from '../errors/keelson-error.js';
import { bridgeName } from './names.js';
import { run } from './run.js';

// With br_netfilter, what crosses a bridge passes the computer's own FORWARD chain; Docker sets its policy
// to DROP, and then the machines of a lab could not reach each other.

/** The one rule that a lab adds to such a chain, as `iptables -S` prints it, without `-A`. */
export function firewallRule(lab: string): string[] {
  const bridge = bridgeName(lab);
  return ['FORWARD', '-i', bridge, '-o', bridge, '-j', 'ACCEPT'];
}

/** Whether the chain, as `iptables -S FORWARD` prints it, may stop traffic within a bridge. */
export function forwardIsFiltered(chain: string): boolean {
  return chain.split('\n').some((line) => /^-P FORWARD (DROP|REJECT)$/.test(line.trim()));
}

/** How often the lab's rule stands in the chain. */
export function countRules(chain: string, lab: string): number {
  const rule = `-A ${firewallRule(lab).join(' ')}`;
  return chain.split('\n').filter((line) => line.trim() === rule).length;
}

/** The FORWARD chain, or '' where this computer has no iptables. */
async function readChain(signal?: AbortSignal): Promise<string> {
  try {
    return await run(['iptables', '-w', '-S', 'FORWARD'], { signal });
  } catch (error) {
    if (error instanceof KeelsonError && error.code === 'LOCAL_COMMAND') return '';
    throw error;
  }
}

/**
 * Lets traffic within the lab's bridge through a FORWARD chain that drops by default; any other chain is
 * left alone. @returns a sentence if a rule was added
 */
export async function openFirewall(lab: string, signal?: AbortSignal): Promise<string[]> {
  const filtersBridges = await readFile('/proc/sys/net/bridge/bridge-nf-call-iptables', 'utf8').catch(
    () => '0',
  );
  if (filtersBridges.trim() !== '1') return [];
  const chain = await readChain(signal);
  if (!forwardIsFiltered(chain) || countRules(chain, lab) > 0) return [];
  await run(['iptables', '-w', '-I', ...firewallRule(lab)], { signal });
  return [`added the firewall rule ${firewallRule(lab).join(' ')}, which lab down removes`];
}

/** Removes the lab's rules. @returns what was removed, in words */
export async function closeFirewall(lab: string): Promise<string[]> {
  const count = countRules(await readChain(), lab);
  for (let i = 0; i < count; i++) await run(['iptables', '-w', '-D', ...firewallRule(lab)]);
  return count === 0 ? [] : [`firewall rule ${firewallRule(lab).join(' ')}`];
}
