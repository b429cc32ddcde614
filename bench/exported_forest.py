"""A model directory's forest as other libraries hold it: the same trees, node for node.

Reads forest.safetensors by its documented format (docs/adr/0004-model-directory.md). What comes out gives the forest's
score, before calibration; its input is one float32 per feature, NaN where it is missing.
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier
from sklearn.tree._tree import NODE_DTYPE, Tree

LEAF = -1  # children and feature of a leaf


class TreeNodes:
    """The nodes of one tree in parallel arrays, breadth-first.

    left, right: positions of the children; feature; threshold: x > threshold goes right; missing_right; count, churners:
    rows of the tree's sample in the node, and churners among them; value: P(churn), of a leaf as a float32.
    """

    def __init__(self, is_split, feature, threshold, missing_right, leaf_count, leaf_churners):
        n = len(is_split)
        self.left = np.full(n, LEAF)
        self.left[is_split] = 2 * np.arange(len(feature)) + 1
        self.right = np.where(is_split, self.left + 1, LEAF)
        self.feature = np.full(n, LEAF)
        self.feature[is_split] = feature
        self.threshold = np.zeros(n)
        self.threshold[is_split] = threshold
        self.missing_right = np.zeros(n, bool)
        self.missing_right[is_split] = missing_right
        self.count, self.churners = np.zeros(n, int), np.zeros(n, int)
        self.count[~is_split], self.churners[~is_split] = leaf_count, leaf_churners
        for node in np.flatnonzero(is_split)[::-1]:  # children come after their parent
            children = slice(self.left[node], self.left[node] + 2)
            self.count[node], self.churners[node] = self.count[children].sum(), self.churners[children].sum()
        self.value = np.where(is_split, self.churners / self.count, (self.churners / self.count).astype(np.float32))


def read_trees(model):
    """The trees of a model directory, one after the other."""
    forest = load_file(Path(model) / "forest.safetensors")
    offsets = forest["tree_offsets"].astype(int)
    is_split = np.unpackbits(forest["is_split"], count=offsets[-1], bitorder="little").astype(bool)
    missing_right = np.unpackbits(forest["missing_right"], bitorder="little").astype(bool)
    threshold = forest["cut_points"][forest["cut_offsets"][forest["feature"]] + forest["cut"]]
    splits_before = np.concatenate([[0], np.cumsum(is_split)])
    for root, end in zip(offsets, offsets[1:]):
        splits = slice(splits_before[root], splits_before[end])
        leaves = slice(root - splits.start, end - splits.stop)
        yield TreeNodes(
            is_split[root:end],
            forest["feature"][splits],
            threshold[splits],
            missing_right[splits],
            forest["leaf_count"][leaves],
            forest["leaf_churners"][leaves],
        )


def n_features(model):
    return len(load_file(Path(model) / "forest.safetensors")["cut_offsets"]) - 1


def scikit_learn_forest(model):
    """A RandomForestClassifier of classes 0 and 1."""
    features = n_features(model)
    trees = [scikit_learn_tree(nodes, features) for nodes in read_trees(model)]
    forest = RandomForestClassifier(n_estimators=len(trees))
    forest.estimators_ = trees
    forest.n_features_in_, forest.n_outputs_ = features, 1
    forest.classes_, forest.n_classes_ = np.array([0, 1]), 2
    return forest


def scikit_learn_tree(nodes, features):
    parts = np.zeros(len(nodes.left), NODE_DTYPE)
    parts["left_child"], parts["right_child"] = nodes.left, nodes.right
    parts["feature"], parts["threshold"] = nodes.feature, nodes.threshold
    parts["missing_go_to_left"] = ~nodes.missing_right
    parts["impurity"] = 2 * nodes.value * (1 - nodes.value)
    parts["n_node_samples"] = parts["weighted_n_node_samples"] = nodes.count
    values = np.ascontiguousarray(np.stack([1 - nodes.value, nodes.value], axis=1)[:, np.newaxis])
    estimator = DecisionTreeClassifier()
    estimator.tree_ = Tree(features, np.array([2]), 1)
    estimator.tree_.__setstate__({"max_depth": depth(nodes), "node_count": len(parts), "nodes": parts, "values": values})
    estimator.n_features_in_, estimator.n_outputs_ = features, 1
    estimator.classes_, estimator.n_classes_ = np.array([0, 1]), 2
    return estimator


def depth(nodes):
    levels = np.zeros(len(nodes.left), int)
    for node in np.flatnonzero(nodes.left != LEAF):
        levels[nodes.left[node] : nodes.left[node] + 2] = levels[node] + 1
    return int(levels.max())


def shap_forest(model):
    """What shap.TreeExplainer takes for a forest of no library's: values are the trees' shares of the mean."""
    trees = list(read_trees(model))
    return {
        "trees": [
            {
                "children_left": nodes.left,
                "children_right": nodes.right,
                "children_default": np.where(nodes.missing_right, nodes.right, nodes.left),
                "features": nodes.feature,
                "thresholds": nodes.threshold,
                "values": nodes.value[:, np.newaxis] / len(trees),
                "node_sample_weight": nodes.count.astype(float),
            }
            for nodes in trees
        ]
    }
