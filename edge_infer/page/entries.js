// The lines of a job as things to look at: images, series with their slices, and errors.

/**
 * @typedef {object} Entry
 * @property {string} key the same as long as the job is there
 * @property {"image"|"series"|"error"} kind
 * @property {object|null} line null of a series that is not complete
 * @property {object[]} slices of a series, in its order
 */

/** Return the entries of a job, in the order of its lines. */
export function entriesOf(job) {
  const found = [];
  const series = new Map();
  const ofSeries = (number) => {
    if (!series.has(number)) {
      series.set(number, { key: `${job.id}.s${number}`, kind: "series", line: null, slices: [] });
      found.push(series.get(number));
    }
    return series.get(number);
  };
  job.lines.forEach((line, place) => {
    if (line.kind === "series") ofSeries(line.number).line = line;
    else if (line.scan) ofSeries(line.scan.series).slices.push(line);
    else found.push({ key: `${job.id}.${place}`, kind: line.status === "ok" ? "image" : "error", line, slices: [] });
  });
  return found;
}

/** Return the last name of a source: of a member of an archive, of a file in a folder. */
export function shortSource(source) {
  const member = source.slice(source.lastIndexOf("!") + 1);
  return member.slice(member.lastIndexOf("/") + 1) || source;
}
