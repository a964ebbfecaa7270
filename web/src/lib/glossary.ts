/** The terms that the page uses, for the dialog of keys and terms. */
export const GLOSSARY: readonly (readonly [string, string])[] = [
  ['Matched annotation · TP', 'predicted at or above the threshold, and it matches an annotation'],
  [
    'Missing annotation · FP',
    'predicted, but not annotated. If the model is right, the annotation is missing',
  ],
  ['Extra annotation · FN', 'annotated, and no prediction at or above the threshold matches it'],
  [
    'Threshold',
    'the score from which on a prediction counts; by default the one with the fewest errors on validation',
  ],
  ['P, precision', 'TP / (TP + FP): how many predictions are right'],
  ['R, recall', 'TP / (TP + FN): how many annotations are found'],
  ['AP', 'average precision over all thresholds; with IoU .50 to .95 in detection'],
  ['OKS', 'object keypoint similarity: how near the predicted keypoints are to the annotated'],
  ['IoU', 'overlap of two boxes or masks: intersection divided by union'],
  ['below threshold', 'a prediction with too low a score matches the annotation'],
  ['badly placed', 'the right concept near it, but with too small an overlap'],
  ['taken', 'the prediction that overlaps it matched another annotation'],
  ['duplicate', 'a second prediction of an object that another one matched'],
  ['ignored', 'shown, but in no figure: crowd regions, concepts nobody annotated'],
  [
    'As trained, with corrections',
    'compared with the annotations the version was frozen with, or with the corrected ones',
  ],
];
