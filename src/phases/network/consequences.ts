/** What of flannel's net-conf.json bears on running pods. */
interface NetConf {
  EnableNFTables?: boolean;
  Backend?: { Type?: string; VNI?: number; Port?: number; MTU?: number; DirectRouting?: boolean };
}

function parse(text: string | undefined): NetConf | null {
  try {
    return JSON.parse(text ?? '') as NetConf;
  } catch {
    return null;
  }
}

/** `vxlan`, `vxlan with directRouting`, … */
function nameOf({ Backend, EnableNFTables }: NetConf): string {
  const direct = Backend?.DirectRouting === true ? ' with directRouting' : '';
  const tables = EnableNFTables === true ? ', nftables' : '';
  return `${Backend?.Type ?? 'unknown'}${direct}${tables}`;
}

export interface Switch {
  /** `vxlan → host-gw` */
  title: string;
  /** One sentence each, without full stop. */
  consequences: string[];
  /** Pods of different nodes do not reach each other until all nodes have changed. */
  disrupts: boolean;
}

/**
 * What the step from one net-conf.json to another means for what runs; null where they agree, and where there was
 * none before. flannel leaves routes of a former backend in place until its peers have changed too, so that pods
 * go on talking, unless the tunnel itself is another one.
 */
export function flannelSwitch(before: string | undefined, after: string): Switch | null {
  const [old, wanted] = [parse(before), parse(after)];
  if (old === null || wanted === null || JSON.stringify(old) === JSON.stringify(wanted)) return null;
  const [from, to] = [old.Backend ?? {}, wanted.Backend ?? {}];
  const tunnel = from.Type === to.Type && (from.VNI !== to.VNI || from.Port !== to.Port);
  const consequences = ['flannel restarts on all nodes at once'];
  if (tunnel) {
    consequences.push('pods of different nodes do not reach each other until all nodes have the new tunnel');
  } else if (from.Type !== to.Type || from.DirectRouting !== to.DirectRouting) {
    consequences.push('connections go on: each node keeps its old routes until its peers have changed too');
  }
  if (smaller(from, to)) {
    consequences.push(
      'pods that run keep their larger MTU, and rely on path MTU discovery until they are made anew: restart them',
    );
  } else if (from.Type !== to.Type || from.MTU !== to.MTU) {
    consequences.push('pods that run keep their MTU until they are made anew');
  }
  if (old.EnableNFTables !== wanted.EnableNFTables)
    consequences.push('connections from pods to outside may be translated anew and break');
  return { title: `${nameOf(old)} → ${nameOf(wanted)}`, consequences, disrupts: tunnel };
}

/** Bytes that a backend takes of each packet. */
const overhead = (type: string | undefined): number => ({ vxlan: 50, wireguard: 80 })[type ?? ''] ?? 0;

/** Pods have room for less than before. Without an MTU of its own a backend has that of the interface. */
function smaller(from: NonNullable<NetConf['Backend']>, to: NonNullable<NetConf['Backend']>): boolean {
  const room = (backend: NonNullable<NetConf['Backend']>) =>
    (backend.MTU ?? Number.MAX_SAFE_INTEGER) - overhead(backend.Type);
  return room(to) < room(from);
}
