import { cordonCommand } from '../cordon-command.js';

export const command = cordonCommand({
  name: 'node uncordon',
  summary: 'nodes take pods again',
  details: 'Takes keelson node cordon and keelson node drain back.',
  unschedulable: false,
  state: 'schedulable',
});
