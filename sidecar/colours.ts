import picocolors from 'picocolors';

/**
 * Colours for what people read, off when it does not go to a terminal. picocolors by itself also turns them on where
 * CI is set, whose logs are files.
 */
const wanted = process.env.FORCE_COLOR
  ? true
  : !process.env.NO_COLOR && process.stdout.isTTY === true && process.env.TERM !== 'dumb';

export const pc = picocolors.createColors(wanted);
