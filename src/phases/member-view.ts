import type { EtcdMember } from '../cluster/etcd.js';

/** The members of etcd for phases to plan with, which can't ask themselves. */
export interface MemberView {
  /** As last seen; null while nobody was asked or nobody answered. */
  known: () => readonly EtcdMember[] | null;
  seen: (members: readonly EtcdMember[] | null) => void;
}

export function memberView(): MemberView {
  let members: readonly EtcdMember[] | null = null;
  return {
    known: () => members,
    seen: (found) => {
      members = found;
    },
  };
}
