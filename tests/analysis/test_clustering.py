"""Likeness: groups, neighbours and the map, on features whose structure is known."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import NearestNeighbors

from pellucid.analysis.clustering import cluster_features, map_layout, nearest_rows

CHANCE = np.random.default_rng(0)
TRUTH = np.repeat(np.arange(5), 60)
BLOBS = CHANCE.normal(size=(5, 12))[TRUTH] * 6 + CHANCE.normal(size=(300, 12))


def test_clusters_are_numbered_by_size():
    label = cluster_features(BLOBS)
    pure = [
        np.bincount(TRUTH[label == group]).max() / (label == group).sum()
        for group in np.unique(label)
    ]
    assert min(pure) > 0.95
    assert (np.diff(np.bincount(label)) <= 0).all()
    assert (cluster_features(BLOBS) == label).all()


def test_unknown_items_have_no_cluster_or_position():
    features = BLOBS.copy()
    features[::10] = np.nan
    assert (cluster_features(features)[::10] == -1).all()
    place = map_layout(features)
    assert np.isnan(place[::10]).all()
    assert not np.isnan(np.delete(place, np.arange(0, 300, 10), axis=0)).any()


def test_map_keeps_neighbours_together():
    place = map_layout(BLOBS)
    assert ((place >= 0) & (place <= 1)).all()
    assert (map_layout(BLOBS) == place).all()
    near = NearestNeighbors(n_neighbors=6).fit(place).kneighbors(return_distance=False)
    assert (TRUTH[near] == TRUTH[:, None]).mean() > 0.97


@pytest.mark.slow
def test_remaining_points_are_placed_beside_their_nearest():
    many = np.concatenate([BLOBS + CHANCE.normal(size=BLOBS.shape) * 0.3 for _ in range(8)])
    place = map_layout(many)
    near = NearestNeighbors(n_neighbors=4).fit(place).kneighbors(return_distance=False)
    truth = np.tile(TRUTH, 8)
    assert (truth[near] == truth[:, None]).mean() > 0.95


def test_nearest_neighbours_equal_scikit_learn():
    _, expected = NearestNeighbors(n_neighbors=10).fit(BLOBS).kneighbors(BLOBS[[17]])
    assert nearest_rows(BLOBS, 17, 10).tolist() == expected[0].tolist()


def test_few_or_equal_rows_are_one_cluster():
    assert set(cluster_features(BLOBS[:9]).tolist()) == {0}
    assert set(cluster_features(np.ones((200, 4))).tolist()) == {0}
    assert map_layout(BLOBS[:2]).tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert adjusted_rand_score(TRUTH, cluster_features(BLOBS)) > 0.8
