import type { Check } from './check.js';
import { diskSpace } from './disk.js';
import { firewall } from './firewall.js';
import { clockSkew, machineId, productUuid, uniqueHostname } from './identity.js';
import { kernelModules, sysctls } from './kernel.js';
import { cniLeftovers, leftovers, otherCluster } from './leftovers.js';
import { endpointName, nodeName } from './names.js';
import { hostGateway, kubeProxyKernel } from './pod-network.js';
import { ports } from './ports.js';
import { cpus, memory, swap } from './resources.js';
import { selinux } from './selinux.js';
import {
  architecture,
  nodeAddress,
  operatingSystem,
  privileged,
  systemd,
  systemVerification,
} from './system.js';
import { tools } from './tools.js';
import { virtualAddress } from './virtual-address.js';

/** Every check of a host, in the order in which findings are listed. */
export const CHECKS: readonly Check[] = [
  operatingSystem,
  architecture,
  systemVerification,
  systemd,
  privileged,
  tools,
  cpus,
  memory,
  swap,
  kernelModules,
  sysctls,
  kubeProxyKernel,
  hostGateway,
  diskSpace,
  ports,
  leftovers,
  otherCluster,
  cniLeftovers,
  firewall,
  selinux,
  uniqueHostname,
  machineId,
  productUuid,
  clockSkew,
  nodeName,
  nodeAddress,
  endpointName,
  virtualAddress,
];
