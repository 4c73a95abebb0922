import { checkLab } from './check.js';
import { labDown } from './down.js';
import type { LabDriver } from './driver.js';
import { labStartNode, labStopNode } from './power.js';
import { labSshCommand } from './ssh.js';
import { labStatus } from './status.js';
import { labUp } from './up.js';

/** Machines of systemd-nspawn on this computer; needs root on Linux. */
export const nspawnDriver: LabDriver = {
  name: 'nspawn',
  check: (request) => checkLab(request),
  up: labUp,
  status: ({ name }) => labStatus(name),
  sshCommand: ({ name }, node, argv) => labSshCommand(name, node, argv),
  stop: ({ name }, node, options) => labStopNode(name, node, options),
  start: ({ name }, node, options) => labStartNode(name, node, options),
  down: labDown,
};
