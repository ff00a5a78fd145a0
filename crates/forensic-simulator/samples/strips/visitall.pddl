; A robot visits every cell of a grid.
(define (domain visitall)
  (:requirements :strips :typing)
  (:types cell)
  (:predicates (next ?x ?y - cell) (robot ?x - cell) (visited ?x - cell))
  (:action move :parameters (?x ?y - cell)
    :precondition (and (robot ?x) (next ?x ?y))
    :effect (and (robot ?y) (not (robot ?x)) (visited ?y))))
