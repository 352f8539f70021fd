/** Ids name files, so nothing that could name another place may be in them. */
export const ID_PATTERN = /^[a-z0-9_-]{1,64}$/;
export const ID_RULE = 'an id is 1 to 64 of a-z, 0-9, _ and -';
