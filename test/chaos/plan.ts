/** How much the tests of this folder, and those of the runner's project `etcd`, do: a little in `npm test`, all of it by `npm run chaos`. */
export const whole = process.env['CHAOS'] === 'whole'
