/** How a machine is reached: as the configuration says it. */
export type { SshSettings } from '../config/types.js';

export type ConnectEvent =
  | {
      type: 'host-key-accepted';
      host: string;
      address: string;
      keyType: string;
      fingerprint: string;
      file: string;
    }
  | { type: 'credential-skipped'; host: string; reason: string }
  /** Someone has been waiting for a host for a while, and goes on waiting. */
  | { type: 'slow'; host: string; awaited: string; waitedMs: number; limitMs: number };

/** Milliseconds after which a host that lets wait is named. */
export const SLOW_MS = 3000;
/** Milliseconds that a host has for the first commands: who it is, and what it is. A busy one takes a second. */
export const FIRST_ANSWER_MS = 20_000;

export interface ConnectOptions {
  signal?: AbortSignal;
  /** Milliseconds for TCP, handshake and authentication of each hop, prompts not counted; default 15,000. */
  connectTimeoutMs?: number;
  /** Milliseconds between keepalives; three unanswered ones end the connection; default 10,000. */
  keepaliveIntervalMs?: number;
  /** Adds the key of an unknown host to the first known_hosts file. A changed key stays an error. */
  acceptNewHostKeys?: boolean;
  /** Asks for the passphrase of a private key file. */
  passphrase?: (file: string) => Promise<string>;
  /** Asks for the password that sudo wants on the host. */
  sudoPassword?: () => Promise<string>;
  /** Socket of the SSH agent (SSH_AUTH_SOCK). */
  agentSocket?: string;
  onEvent?: (event: ConnectEvent) => void;
}
